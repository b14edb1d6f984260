"""The embedded PostgreSQL: who it runs as, what survives, what is cleaned up."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from support.processes import Process
from support.wait import wait_until

from waferscope_stack import binaries
from waferscope_stack.data_dir import DataDir, default_path, opened
from waferscope_stack.errors import DatabaseStartError, DataDirError
from waferscope_stack.postgres import Postgres
from waferscope_stack.server_user import ServerUser

AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="optional: only root runs the server as another user")

START_AND_WAIT = """
import sys, time
from pathlib import Path
from waferscope_stack.data_dir import opened
from waferscope_stack.postgres import Postgres
from waferscope_stack.server_user import ServerUser

with opened(Path(sys.argv[1]), ServerUser.choose()) as data_dir:
    print(Postgres.start(data_dir, durable=False).url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def data_dir(folder: Path) -> Iterator[DataDir]:
    with opened(folder / "data", ServerUser.choose()) as data_dir:
        yield data_dir


def execute(url: str, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_restart_keeps_the_data_and_the_password(data_dir: DataDir) -> None:
    first = Postgres.start(data_dir)
    execute(first.url, "create table kept as select 4711 as lot")
    assert first.stop() == 0

    second = Postgres.start(data_dir)
    try:
        assert execute(second.url, "select lot from kept") == 4711
    finally:
        second.stop()


def test_the_server_is_durable_unless_told_otherwise(data_dir: DataDir) -> None:
    for durable, expected in ((True, "on"), (False, "off")):
        server = Postgres.start(data_dir, durable=durable)
        try:
            assert execute(server.url, "show fsync") == expected
        finally:
            server.stop()


def test_only_the_password_opens_it_and_only_on_loopback(data_dir: DataDir) -> None:
    server = Postgres.start(data_dir, durable=False)
    try:
        with pytest.raises(asyncpg.InvalidPasswordError):
            execute(f"postgresql://waferscope:wrong@127.0.0.1:{server.port}/waferscope", "select 1")
        listening = {c.laddr.ip for c in psutil.Process(server.pid).net_connections() if c.status == "LISTEN"}
        assert listening == {"127.0.0.1"}
        assert execute(server.url, "show unix_socket_directories") == ""
    finally:
        server.stop()
    assert stat.S_IMODE((data_dir.path / "waferscope.password").stat().st_mode) == 0o600


@needs_root
def test_root_runs_the_server_as_nobody_and_changes_no_foreign_folder(folder: Path) -> None:
    before = {path: path.stat().st_mode for path in folder.parents}
    with opened(folder / "data", ServerUser.choose()) as data_dir:
        server = Postgres.start(data_dir, durable=False)
        try:
            assert psutil.Process(server.pid).username() == "nobody"
            assert {path: path.stat().st_mode for path in folder.parents} == before
        finally:
            server.stop()


@needs_root
def test_binaries_that_the_servers_user_cannot_read_are_copied_once(
    data_dir: DataDir, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_packages = binaries.locate(data_dir).parents[2]
    hidden = folder / "hidden"  # the same wheel by a way that is closed to the server's user
    hidden.mkdir(mode=0o700)
    for part in (binaries.PACKAGE, f"{binaries.PACKAGE}.libs"):
        (hidden / part).symlink_to(site_packages / part)
    monkeypatch.syspath_prepend(str(hidden))
    copied = binaries.locate(data_dir)
    assert copied.is_relative_to(data_dir.path)
    made = copied.stat().st_mtime_ns
    server = Postgres.start(data_dir, durable=False)
    try:
        assert execute(server.url, "select 1") == 1
    finally:
        server.stop()
    assert copied.stat().st_mtime_ns == made


@needs_root
def test_where_the_servers_user_cannot_enter_the_working_folder_the_systems_state_folder_is_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.chdir(closed)
    assert default_path(ServerUser.choose()) == Path("/var/lib/waferscope")


@needs_root
def test_a_data_folder_behind_a_folder_that_is_closed_to_the_servers_user_works(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for _ in ("created", "started again"):
        with opened(closed / "data", ServerUser.choose()) as data_dir:
            server = Postgres.start(data_dir, durable=False)
            try:
                assert execute(server.url, "select count(*) > 0 from pg_stat_activity")
                execute(server.url, "select pg_reload_conf()")
            finally:
                assert server.stop() == 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_the_data_folder_defaults_to_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert default_path(ServerUser.choose()) == folder / ".waferscope"


def test_a_data_folder_has_one_holder(data_dir: DataDir) -> None:
    message = rf"in use by a running stack \(process {os.getpid()}\)"
    with pytest.raises(DataDirError, match=message), opened(data_dir.path, ServerUser.choose()):
        pass


def test_a_large_log_is_set_aside_at_the_next_start(folder: Path) -> None:
    with opened(folder / "data", ServerUser.choose()) as data_dir:
        data_dir.log("writer").write_bytes(b"x" * 10_000_001)
        data_dir.log("query").write_bytes(b"x")
    with opened(folder / "data", ServerUser.choose()) as data_dir:
        assert {log.name for log in data_dir.logs.iterdir()} == {"writer.log.1", "query.log"}


def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(data_dir: DataDir) -> None:
    Postgres.start(data_dir, durable=False).stop()
    command = ["sleep", "600"]  # as the server's user: PostgreSQL takes such a process for another server
    with subprocess.Popen(command, **data_dir.user.identity()) as other:
        try:
            pid_file = data_dir.cluster / "postmaster.pid"
            pid_file.write_text(f"{other.pid}\n{data_dir.cluster}\n1\n5432\n\n127.0.0.1\n  1 1\nready   \n")
            data_dir.user.own(pid_file)
            server = Postgres.start(data_dir, durable=False)
            server.stop()
        finally:
            other.kill()


def test_a_server_ends_with_the_process_that_started_it_and_the_next_start_recovers(folder: Path) -> None:
    with Process([sys.executable, "-c", START_AND_WAIT, folder / "data"]) as holder:
        execute(holder.wait_stdout().strip(), "create table kept as select 4711 as lot")
        holder.send(signal.SIGKILL)
        holder.wait_exit()
    with opened(folder / "data", ServerUser.choose()) as data_dir:
        server = Postgres.start(data_dir, durable=False)
        try:
            assert execute(server.url, "select lot from kept") == 4711
        finally:
            server.stop()


def test_a_killed_server_is_noticed_and_recovers(data_dir: DataDir) -> None:
    server = Postgres.start(data_dir)
    execute(server.url, "create table kept as select 4711 as lot")
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: server.poll() is not None, "the crash is seen")
    assert server.poll() == -signal.SIGKILL

    again = Postgres.start(data_dir)
    try:
        assert execute(again.url, "select lot from kept") == 4711
    finally:
        again.stop()


def test_a_server_that_ends_at_its_start_quotes_its_log(data_dir: DataDir) -> None:
    with pytest.raises(DatabaseStartError, match="unrecognized configuration parameter"):
        Postgres.start(data_dir, settings={"no_such_setting": "1"})


def test_a_cluster_without_its_password_is_refused(data_dir: DataDir) -> None:
    Postgres.start(data_dir, durable=False).stop()
    (data_dir.path / "waferscope.password").unlink()
    with pytest.raises(DataDirError, match=r"no password file waferscope\.password"):
        Postgres.start(data_dir)
