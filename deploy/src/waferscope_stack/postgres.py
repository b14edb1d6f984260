"""The embedded PostgreSQL server: started, watched and stopped as one child process."""

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from waferscope_stack import binaries, cluster, leftovers
from waferscope_stack.data_dir import DataDir
from waferscope_stack.errors import DatabaseStartError
from waferscope_stack.ports import LOOPBACK, free_port
from waferscope_stack.tether import tethered

START_S = 120.0  # recovery after a crash reads the whole WAL since the last checkpoint
STOP_S = 30.0
POLL_S = 0.02
STATUS_LINE = 7  # of postmaster.pid, counted from 0; pg_ctl waits for the same word

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "jit": "off",  # compiling costs more than our short queries
    "max_wal_size": "4GB",  # fewer full-page writes under steady ingest
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """A running embedded server.

    Attributes:
        data_dir: Where its cluster, password and log are.
        port: The loopback port that it listens on.
    """

    def __init__(self, data_dir: DataDir, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.data_dir = data_dir
        self.port = port
        self._process = process

    @classmethod
    def start(
        cls, data_dir: DataDir, port: int = 0, *, durable: bool = True, settings: Mapping[str, str] | None = None
    ) -> "Postgres":
        """Create the cluster where there is none, and start its server; it ends with this process at the latest.

        Args:
            data_dir: The data folder, whose lock the caller holds.
            port: The loopback port; 0 for a free one.
            durable: Off only for throw-away data: a crash of the machine may destroy the cluster.
            settings: Server settings over the defaults.

        Returns:
            The server, which accepts connections.

        Raises:
            DataDirError: The cluster belongs to another user, or its password is lost.
            DatabaseStartError: The server doesn't come up; the message holds the end of its log.
        """
        bin_dir = binaries.locate(data_dir)
        cluster.ensure(data_dir, bin_dir)
        leftovers.clear(data_dir.cluster)
        port = port or free_port()
        chosen = SETTINGS | {"port": str(port)} | ({} if durable else NOT_DURABLE) | dict(settings or {})
        server = cls(data_dir, port, _spawn(data_dir, bin_dir, chosen))
        try:
            server._await_ready()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def url(self) -> str:
        """The superuser's URL of the stack's database, password included."""
        password = self.data_dir.secret(cluster.SUPERUSER)
        return f"postgresql://{cluster.SUPERUSER}:{password}@{LOOPBACK}:{self.port}/{cluster.DATABASE}"

    @property
    def name(self) -> str:
        """What people call it."""
        return "database"

    @property
    def pid(self) -> int:
        """The process id of the server's first process."""
        return self._process.pid

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data_dir.log("postgresql")

    def poll(self) -> int | None:
        """Return None while the server runs, else its exit code (negative: the signal that ended it)."""
        return self._process.poll()

    def stop(self) -> int:
        """Stop the server: open transactions are rolled back and the data are flushed.

        Returns:
            The server's exit code; 0 for a clean stop.
        """
        for request, patience_s in ((signal.SIGINT, STOP_S), (signal.SIGQUIT, STOP_S), (signal.SIGKILL, None)):
            if self._process.poll() is None:
                self._process.send_signal(request)
            try:
                return self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError  # the last wait has no limit

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self.poll() is not None:
                raise DatabaseStartError(
                    f"the embedded PostgreSQL ended at its start; {self.log} ends with:\n{self._log_end()}"
                )
            if time.monotonic() > deadline:
                raise DatabaseStartError(f"the embedded PostgreSQL isn't ready after {START_S:.0f} s; see {self.log}")
            time.sleep(POLL_S)

    def _is_ready(self) -> bool:
        try:
            lines = (self.data_dir.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > STATUS_LINE and lines[0] == str(self.pid) and lines[STATUS_LINE].strip() == "ready"

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])


def _spawn(data_dir: DataDir, bin_dir: Path, settings: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    with data_dir.log("postgresql").open("ab") as log, data_dir.reach(data_dir.cluster) as (cluster_path, descriptors):
        command = [str(bin_dir / "postgres"), "-D", str(cluster_path), *options]
        return subprocess.Popen(  # noqa: S603 - own arguments
            tethered(command, signal.SIGINT, (data_dir.user.uid, data_dir.user.gid)),
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=data_dir.path,
            env={"LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,  # Ctrl-C is for us alone: the server stops last
        )
