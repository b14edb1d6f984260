"""A PostgreSQL server of a test's own, which it may stop as it likes: of the same kind as the run's server."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from support import databases
from support.ports import free_port
from support.wait import wait_until

# No fsync: what ends is the server, not the machine. What is acknowledged must still survive: commits stay synchronous.
_SETTINGS = {"fsync": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "50"}


@dataclass(slots=True)
class Server:
    """A server that can be stopped and started again on the same port."""

    bin_dir: Path
    folder: Path
    owner: int
    port: int
    preload: str
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The superuser's URL."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it; return once it accepts connections, after its recovery."""
        settings = _SETTINGS | {"port": str(self.port), "shared_preload_libraries": self.preload}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.bin_dir / "postgres", "-D", self.folder / "data", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=self.environment,
                **self._as_owner(),
            )  # fmt: skip
        wait_until(self._answers, "the server answers", within_s=60)

    def stop(self, number: signal.Signals) -> None:
        """Stop it by one of PostgreSQL's signals: SIGINT fast, SIGQUIT immediately, as after a crash."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def create(self) -> None:
        """Create its files."""
        subprocess.run(
            [self.bin_dir / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd=self.folder, env=self.environment, **self._as_owner(),
        )  # fmt: skip

    def _as_owner(self):  # noqa: ANN202 - arguments of subprocess
        return {"user": self.owner, "group": self.owner, "extra_groups": []} if os.geteuid() == 0 else {}

    def _answers(self) -> bool:
        async def ask() -> None:
            await (await asyncpg.connect(self.url, timeout=5)).close()

        try:
            databases.run(ask())
        except (OSError, asyncpg.PostgresError, TimeoutError):
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            return False
        return True


@contextlib.contextmanager
def own_server(like_url: str) -> Iterator[Server]:
    """Run a server by the binaries and with the preloaded libraries of another one."""
    bin_dir, data, preload = databases.run(_kind(like_url))
    if not (bin_dir / "postgres").exists() or not data.exists():
        pytest.skip("optional: the given server is on another machine, its binaries can't be run")
    owner = data.stat().st_uid
    folder = Path(tempfile.mkdtemp(prefix="waferscope-server-"))
    if os.geteuid() == 0:
        os.chown(folder, owner, owner)
    server = Server(bin_dir, folder, owner, free_port(), preload, _environment(data))
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGINT)
        shutil.rmtree(folder)


def _environment(data: Path) -> dict[str, str]:
    """Return what the other server's binaries need to find their libraries."""
    environment = {"LC_ALL": "C", "TZ": "UTC"}
    pid = (data / "postmaster.pid").read_text().partition("\n")[0]
    with contextlib.suppress(OSError):  # no Linux
        for entry in Path(f"/proc/{pid}/environ").read_text().split("\0"):
            name, _, value = entry.partition("=")
            if name == "LD_LIBRARY_PATH":
                environment[name] = value
    return environment


async def _kind(url: str) -> tuple[Path, Path, str]:
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            "select (select setting from pg_config where name = 'BINDIR') as bin,"
            " current_setting('data_directory') as data, current_setting('shared_preload_libraries') as preload"
        )
    finally:
        await connection.close()
    return Path(row["bin"]), Path(row["data"]), row["preload"]
