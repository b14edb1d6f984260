"""`waferscope up` as its user meets it: one ready line, clear refusals, and nothing left behind."""

import json
import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.ports import free_ports
from support.processes import Process, waferscope
from support.wait import wait_until

START_S = 150  # beside other tests on two cores
pytestmark = pytest.mark.timeout(300)

PORTS = (
    "WAFERSCOPE_QUERY_PORT",
    "WAFERSCOPE_WRITER_HTTP_PORT",
    "WAFERSCOPE_WRITER_GRPC_PORT",
    "WAFERSCOPE_STACK_DATABASE_PORT",
)


@pytest.fixture
def ports() -> dict[str, str]:
    return dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))


@pytest.fixture
def up(folder: Path, ports: dict[str, str]) -> Iterator[Process]:
    """A stack in JSON mode that is starting."""
    with waferscope("up", "--json", "--data-dir", folder / "data", env=ports) as process:
        yield process


def ready(process: Process) -> dict[str, str]:
    line = process.wait_stdout(within_s=START_S).splitlines()[0]
    where: dict[str, str] = json.loads(line)
    return where


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def family(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def assert_nothing_is_left(children: list[psutil.Process], ports: dict[str, str]) -> None:
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    for port in ports.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", int(port)))


def test_the_first_line_tells_where_all_of_it_serves_and_sigterm_stops_all(
    up: Process, folder: Path, ports: dict[str, str]
) -> None:
    where = ready(up)
    assert where.keys() == {"query", "writer_http", "writer_grpc", "database_url"}
    assert where["writer_grpc"] == f"127.0.0.1:{ports['WAFERSCOPE_WRITER_GRPC_PORT']}"
    assert where["query"] == f"http://127.0.0.1:{ports['WAFERSCOPE_QUERY_PORT']}"
    assert get(f"{where['query']}/api/v1/query?query=1%2B1")["data"]["result"][1] == "2"
    assert get(f"{where['query']}/v1/jobs")["items"] == []  # nothing of its own
    with urllib.request.urlopen(f"{where['writer_http']}/v1/readyz", timeout=10) as answer:
        assert answer.status == 200

    with waferscope("up", "--data-dir", folder / "data", env=dict.fromkeys(PORTS, "0")) as second:
        assert second.wait_exit() == 2
        assert f"data folder {folder / 'data'} is in use by a running stack (process {up.pid})" in second.stderr

    children = family(up)
    assert up.stop() == 0
    assert up.stdout.count("\n") == 1
    assert_nothing_is_left(children, ports)


def test_the_line_for_people_shows_no_password(folder: Path, ports: dict[str, str]) -> None:
    with waferscope("up", "--data-dir", folder / "data", env=ports) as process:
        line = process.wait_stdout(within_s=START_S)
        assert f"http://127.0.0.1:{ports['WAFERSCOPE_QUERY_PORT']}" in line
        assert (folder / "data" / "waferscope.password").read_text() not in line + process.stderr
        process.send(signal.SIGINT)
        assert process.wait_exit() == 0


@pytest.mark.parametrize("part", ["writer", "query service", "database"])
def test_a_part_that_crashes_stops_the_rest_and_is_named(up: Process, ports: dict[str, str], part: str) -> None:
    ready(up)
    children = family(up)
    words = {"writer": "serve writer", "query service": "serve query", "database": "postgres -D"}[part]
    next(child for child in children if words in " ".join(child.cmdline())).kill()

    assert up.wait_exit() == 1
    assert re.search(rf"^waferscope: the {part} ended with signal SIGKILL", up.stderr, re.MULTILINE)
    assert_nothing_is_left(children, ports)


def test_a_killed_up_leaves_nothing_behind(up: Process, ports: dict[str, str]) -> None:
    ready(up)
    children = family(up)
    up.send(signal.SIGKILL)  # it alone: its children are in groups of their own
    assert_nothing_is_left(children, ports)


@pytest.mark.parametrize("setting", PORTS)
def test_a_taken_port_is_named_with_its_setting_before_anything_starts(
    folder: Path, ports: dict[str, str], setting: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(ports[setting])))
        taken.listen()
        with waferscope("up", "--data-dir", folder / "data", env=ports) as process:
            assert process.wait_exit() == 4
            assert re.search(rf"^waferscope: port {ports[setting]} .*{setting}$", process.stderr, re.MULTILINE)
            assert not (folder / "data" / "postgresql").exists()
            assert process.stdout == ""


def test_two_settings_with_one_port_are_refused(folder: Path, ports: dict[str, str]) -> None:
    env = {**ports, "WAFERSCOPE_QUERY_PORT": ports["WAFERSCOPE_WRITER_HTTP_PORT"]}
    with waferscope("up", "--data-dir", folder / "data", env=env) as process:
        assert process.wait_exit() == 4
        assert "WAFERSCOPE_QUERY_PORT and WAFERSCOPE_WRITER_HTTP_PORT" in process.stderr


def test_a_malformed_setting_is_one_line_that_names_it(folder: Path) -> None:
    with waferscope("up", "--data-dir", folder / "data", env={"WAFERSCOPE_QUERY_PORT": "eighteen"}) as process:
        assert process.wait_exit() == 2
        assert re.fullmatch(r"waferscope: WAFERSCOPE_QUERY_PORT: .*\n", process.stderr)


def test_a_parts_own_wrong_setting_ends_up_with_its_message_and_exit_code(folder: Path, ports: dict[str, str]) -> None:
    env = {**ports, "WAFERSCOPE_QUERY_CONNECTIONS": "none"}
    with waferscope("up", "--data-dir", folder / "data", env=env) as process:
        assert process.wait_exit(within_s=START_S) == 2
        assert "WAFERSCOPE_QUERY_CONNECTIONS" in process.stderr


def test_a_database_of_ones_own_is_used_and_migrated(folder: Path, empty_database_url: str) -> None:
    env = {**dict.fromkeys(PORTS, "0"), "WAFERSCOPE_DATABASE_URL": empty_database_url}
    with waferscope("up", "--json", "--data-dir", folder / "data", env=env) as process:
        where = ready(process)
        assert where["database_url"] == empty_database_url
        assert get(f"{where['query']}/v1/jobs")["items"] == []
        assert not (folder / "data" / "postgresql").exists()
        assert process.stop() == 0


def test_jobs_run_once_when_asked(folder: Path) -> None:
    env = dict.fromkeys(PORTS, "0")
    with waferscope("up", "--json", "--jobs", "--data-dir", folder / "data", env=env) as process:
        where = ready(process)

        def ended() -> list[str]:
            jobs = get(f"{where['query']}/v1/jobs?limit=100")["items"]
            return [job["status"] for job in jobs if job["status"] in {"succeeded", "failed"}]

        wait_until(lambda: {"succeeded", "failed"} <= set(ended()), "sample jobs have ended", within_s=120)
        assert process.stop() == 0
