"""The `waferscope` command, with subcommands of packages made for the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

MODULE = '''
import os, sys

class Taken(Exception):
    exit_code = 4

def up(parser):
    """Run everything on this machine.

    And more."""
    parser.add_argument("--code", type=int, default=0)
    parser.set_defaults(run=lambda options: options.code)

def writer(parser):
    """Receive telemetry."""
    def run(options):
        raise Taken("port 14318 is taken")
    parser.set_defaults(run=run)

def crash(parser):
    """Crash."""
    parser.set_defaults(run=lambda options: {}["missing"])

def talk(parser):
    """Talk."""
    def run(options):
        for _ in range(100_000):
            print("LOT-4711")
    parser.set_defaults(run=run)

def pipe(parser):
    """Lose a connection."""
    def run(options):
        raise BrokenPipeError("of the server")
    parser.set_defaults(run=run)

def interrupted(parser):
    """Wait."""
    def run(options):
        raise KeyboardInterrupt
    parser.set_defaults(run=run)
'''
ENTRIES = """[waferscope.commands]
fab-up = fab_commands:up
fab.writer = fab_commands:writer
fab.query = fab_missing:query
fab-crash = fab_commands:crash
fab-talk = fab_commands:talk
fab-pipe = fab_commands:pipe
fab-wait = fab_commands:interrupted
"""

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    (tmp_path / "fab_commands.py").write_text(MODULE)
    info = tmp_path / "fab_commands-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fab-commands\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    script = "import sys; from waferscope._internal.cli import main; sys.exit(main())"

    def run(*words: str, stdout: int = subprocess.PIPE, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *words],
            env={**os.environ, "PYTHONPATH": str(tmp_path), **env},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_command_gets_its_arguments_and_gives_its_exit_code(command: Command) -> None:
    assert command("fab-up").returncode == 0
    assert command("fab-up", "--code", "9").returncode == 9


def test_help_lists_every_command_with_its_first_line(command: Command) -> None:
    done = command("--help")
    assert done.returncode == 0
    lines = {line.strip() for line in done.stdout.splitlines()}
    assert any(line.split(None, 1) == ["fab-up", "Run everything on this machine."] for line in lines)
    assert any(line.startswith("fab writer") and line.endswith("Receive telemetry.") for line in lines)
    assert any(line.startswith("fab query") and "can't be loaded" in line for line in lines)
    assert "Receive telemetry." in command("fab", "--help").stdout


def test_a_command_whose_neighbour_is_broken_runs(command: Command) -> None:
    done = command("fab", "writer")
    assert (done.returncode, done.stderr) == (4, "waferscope: port 14318 is taken\n")


@pytest.mark.parametrize(
    "words", [("nope",), ("fab", "nope"), ("fab-up", "--nope"), ("fab-up", "--code", "x"), ("fab",), ()], ids=repr
)
def test_a_wrong_call_ends_with_2(command: Command, words: tuple[str, ...]) -> None:
    done = command(*words)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_is_quiet(command: Command) -> None:
    done = command("fab-wait")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.fixture
def unread() -> Iterator[int]:
    """The writing end of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("words", "codes"),
    [(("fab-talk",), {141}), (("--help",), {0, 141}), (("fab-up", "--help"), {0, 141})],  # argparse may not mind
    ids=["command", "help", "help of a command"],
)
def test_who_reads_no_more_ends_a_command_quietly(
    command: Command, unread: int, words: tuple[str, ...], codes: set[int], unbuffered: str
) -> None:
    done = command(*words, stdout=unread, PYTHONUNBUFFERED=unbuffered)
    assert done.stderr == ""
    assert done.returncode in codes


def test_a_command_that_writes_nothing_needs_no_reader(command: Command, unread: int) -> None:
    assert command("fab-up", "--code", "9", stdout=unread).returncode == 9


def test_another_pipe_that_breaks_is_a_defect(command: Command) -> None:
    done = command("fab-pipe")
    assert (done.returncode, "of the server" in done.stderr) == (1, True)


def test_a_defect_shows_its_traceback(command: Command) -> None:
    done = command("fab-crash")
    assert done.returncode == 1
    assert "KeyError: 'missing'" in done.stderr


def test_version(command: Command) -> None:
    assert command("--version").stdout == f"waferscope {version('waferscope')}\n"
