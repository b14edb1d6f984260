"""What `waferscope run` is made of: lines understood, results judged, a child's resources read."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from datetime import datetime, timezone
from typing import Any

import pytest

pytest.importorskip("resource", reason="waferscope run needs a POSIX system")

from waferscope._internal.commands import progress
from waferscope._internal.commands.child_usage import ChildUsage
from waferscope._internal.commands.ending import Ending
from waferscope._internal.commands.observation import judge
from waferscope._internal.commands.progress import Lines, ProgressFile
from waferscope._internal.commands.run import moment
from waferscope._internal.usage import NOTHING

MIB = 1 << 20


class Recorder:
    """A job that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        def note(*args: Any) -> Any:
            self.told.append((name, *args))
            return nullcontext()

        return note


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("progress 3", ("progress", 3.0)),
        ("progress 3 10\r", ("progress", 3.0, 10.0)),
        ("  processed 2 ", ("processed", 2)),
        ("log lens is warm", ("log", "lens is warm")),
        ("record overlay.x -1.5e-3 nm", ("record", "overlay.x", -0.0015, "nm")),
        ("step fit all", ("step", "fit all")),
    ],
)
def test_a_line_is_told_to_the_job(line: str, told: tuple[Any, ...]) -> None:
    recorder = Recorder()
    lines = Lines(recorder)
    lines.take(line)
    assert (recorder.told, lines.nonsense) == ([told], 0)


@pytest.mark.parametrize(
    "line",
    ["progress", "progress 1 2 3", "progress nan", "processed", "processed 1.5", "processed -1", "record a 1", "log",
     "record a inf nm", "fail", "Progress 1", "\x00", "progress 1,5"],
)  # fmt: skip
def test_a_line_that_means_nothing_is_counted(line: str) -> None:
    recorder = Recorder()
    lines = Lines(recorder)
    lines.take(line)
    assert (recorder.told, lines.nonsense) == ([], 1)


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> ProgressFile:
    monkeypatch.setattr(progress, "_INTERVAL", 0.01)
    return ProgressFile()


def test_half_a_line_waits_for_its_end(file: ProgressFile, until: Any) -> None:
    recorder = Recorder()
    file.follow(Lines(recorder))
    with file.path.open("ab", buffering=0) as out:
        out.write(b"log one\nlog tw")
        until(lambda: recorder.told)
        out.write(b"o\nlog three")
        until(lambda: len(recorder.told) > 1)
    file.close()
    assert recorder.told == [("log", "one"), ("log", "two"), ("log", "three")]


def test_a_file_written_anew_is_read_anew(file: ProgressFile, until: Any) -> None:
    recorder = Recorder()
    file.follow(Lines(recorder))
    file.path.write_text("progress 1 10\nlog one\n")
    until(lambda: len(recorder.told) > 1)
    file.path.write_text("log two\n")
    file.close()
    assert recorder.told[2:] == [("log", "two")]


def test_endless_lines_and_stray_bytes_cost_one_line(file: ProgressFile, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    file.path.write_bytes(b"x" * 1_000_000 + b"\nlog \xff\nlog after\n")
    file.follow(Lines(recorder))
    file.close()
    assert recorder.told == [("log", "\ufffd"), ("log", "after")]
    assert [record.args[0] for record in caplog.records if record.args] == [1]


def test_a_job_that_breaks_on_a_line_still_gets_the_next(file: ProgressFile) -> None:
    recorder = Recorder()
    recorder.log = None
    file.path.write_text("log one\nprogress 1\n")
    file.follow(Lines(recorder))
    file.close()
    assert recorder.told == [("progress", 1.0)]


TERM, SEGV = 15, 11


@pytest.mark.parametrize(
    ("ending", "received", "verdict", "judged"),
    [
        (Ending(code=0), [], None, ("",)),
        (Ending(code=0), [TERM], None, ("",)),
        (Ending(code=3), [], None, ("fail", "exit 3", "exit 3")),
        (Ending(code=3), [TERM], None, ("fail", "exit 3", "exit 3")),
        (Ending(code=128 + TERM), [], None, ("fail", "exit 143", "exit 143")),
        (Ending(code=128 + TERM), [TERM], None, ("cancel", "exit 143")),
        (Ending(signal=TERM), [], None, ("cancel", "SIGTERM")),
        (Ending(signal=SEGV), [TERM], None, ("fail", "SIGSEGV", "SIGSEGV")),
        (Ending.unexecuted(FileNotFoundError()), [], None, ("fail", "not found", "not found")),
        (Ending.unexecuted(PermissionError()), [], None, ("fail", "not executable", "not executable")),
        (Ending(code=0), [], ("fail", "blurred"), ("fail", "blurred")),
        (Ending(code=3), [], ("fail", "blurred"), ("fail", "blurred", "exit 3")),
        (Ending(code=0), [], ("skip", "no wafers"), ("skip", "no wafers")),
        (Ending(code=3), [], ("skip", "no wafers"), ("fail", "exit 3", "exit 3")),
        (Ending(code=3), [], ("cancel", "operator"), ("cancel", "operator")),
    ],
)
def test_the_result_is_judged(ending: Ending, received: list[int], verdict: Any, judged: tuple[str, ...]) -> None:
    assert judge(ending, received, verdict) == judged


# Uses CPU and memory in a child of its own, tells, and waits; then ends, having waited for that child.
BUSY = f"""
import subprocess, sys, time
hold = "b = bytearray({48 * MIB}); import time; t = time.process_time()\\nwhile time.process_time() - t < 0.3: pass"
inner = subprocess.Popen([sys.executable, "-c", hold + "\\nprint('up', flush=True); input()"], stdin=subprocess.PIPE)
input()
inner.communicate(b"\\n")
"""


def test_a_childs_resources_are_sampled_with_its_descendants_and_exact_at_its_end() -> None:
    child = subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    used = ChildUsage(child.pid)
    child.stdout.readline()
    sampled = used.usage()
    assert sampled.user + sampled.system >= 0.25
    assert min(sampled.peak, used.memory().own) > 48 * MIB
    child.stdin.write(b"\n")
    child.stdin.close()
    _, status, exact = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    used.ended(exact)
    assert used.usage()[:2] == (exact.ru_utime, exact.ru_stime)
    assert used.usage().peak >= sampled.peak


def test_a_child_that_is_gone_has_no_resources_and_raises_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert ChildUsage(child.pid).usage() == NOTHING


@pytest.mark.parametrize("text", ["2026-11-24T08:00:00Z", "2026-11-24T09:00:00+01:00", "1795507200"])
def test_a_time_is_iso_or_unix_seconds(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 24, 8, tzinfo=timezone.utc)


def test_a_time_without_offset_is_local() -> None:
    assert moment("2026-11-24 08:00") == datetime(2026, 11, 24, 8).astimezone()
