"""One throw-away PostgreSQL per test run, started when the first test asks for it."""

import contextlib
import os
import shutil
import tempfile
import threading
from multiprocessing.connection import Client, Listener
from pathlib import Path

ADDRESS_VARIABLE = "WAFERSCOPE_TEST_SERVER_ADDRESS"
GIVEN_URL_VARIABLE = "WAFERSCOPE_TEST_DATABASE_URL"


class Keeper:
    """Serves the server's URL to this run's processes; lives in pytest's main process.

    One thread answers one caller after the other, and starts the server for the first. The server is tied to that
    thread, so it ends with pytest even when pytest is killed.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="waferscope-tests-"))
        self._listener = Listener(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="test database", daemon=True)
        self._thread.start()
        host, port = self._listener.address
        os.environ[ADDRESS_VARIABLE] = f"{host}:{port}"

    def stop(self) -> None:
        """Stop the server if it was started, and remove its files."""
        self._ask("stop")
        self._thread.join()
        self._listener.close()
        shutil.rmtree(self._folder)
        os.environ.pop(ADDRESS_VARIABLE)

    @staticmethod
    def url() -> str:
        """Return the superuser's URL of the run's server; callable in every process of the run."""
        if given := os.environ.get(GIVEN_URL_VARIABLE):
            return given
        answer = Keeper._ask("url")
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    def _ask(what: str):  # noqa: ANN205 - what the thread answers: a URL, an error, nothing
        host, port = os.environ[ADDRESS_VARIABLE].rsplit(":", 1)
        with Client((host, int(port))) as connection:
            connection.send(what)
            return connection.recv()

    def _serve(self) -> None:
        with contextlib.ExitStack() as stack:
            server = None
            while True:
                with self._listener.accept() as connection:
                    if connection.recv() == "stop":
                        stack.close()
                        connection.send(None)
                        return
                    try:
                        server = server or self._start(stack)
                        connection.send(server.url)
                    except Exception as error:  # noqa: BLE001 - told to the asking test, which fails with it
                        connection.send(RuntimeError(str(error)))

    def _start(self, stack: contextlib.ExitStack):  # noqa: ANN202 - imported where it is needed
        # Here, since the wrapper's own tests also run where only the wrapper is installed.
        from waferscope_stack.data_dir import opened  # noqa: PLC0415
        from waferscope_stack.postgres import Postgres  # noqa: PLC0415
        from waferscope_stack.server_user import ServerUser  # noqa: PLC0415

        self._folder.chmod(0o755)  # the server runs as another user when this process is root's
        data_dir = stack.enter_context(opened(self._folder / "data", ServerUser.choose()))
        server = Postgres.start(data_dir, durable=False, settings={"max_connections": "200"})
        stack.callback(server.stop)
        return server
