"""Iterations tell how far their job is, and show it on a terminal only."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import waferscope
from waferscope._internal import bar

Position = tuple[float, float | None]


def _position(job: waferscope.Job) -> Position | None:
    run = job._running()
    assert run is not None
    return run.progress


@pytest.mark.parametrize(
    ("items", "total", "known"),
    [
        (lambda: [7, 8, 9], None, 3),
        (lambda: iter([7, 8, 9]), None, None),
        (lambda: iter([7, 8, 9]), 5, 5),
        (lambda: {7: "a", 8: "b", 9: "c"}, None, 3),
    ],
)
@pytest.mark.usefixtures("telemetry")
def test_what_is_left_behind_is_done(items: Callable[[], Any], total: int | None, known: int | None) -> None:
    with waferscope.job("overlay") as job:
        seen: list[Any] = [(item, _position(job)) for item in job.track(items(), total)]
        assert _position(job) == (3, known)
    assert seen == [(7, (0, known)), (8, (1, known)), (9, (2, known))]


async def test_an_async_iterable_is_tracked(telemetry: Any) -> None:
    async def wafers() -> AsyncIterator[int]:
        for slot in range(3):
            yield slot

    async with waferscope.job("overlay") as job:
        assert [(slot, _position(job)) async for slot in job.track(wafers(), total=3)] == [
            (slot, (slot, 3)) for slot in range(3)
        ]
    ended = telemetry.events()[-1][1]
    assert (ended["wafer.job.progress.done"], ended["wafer.job.progress.total"]) == (3.0, 3.0)


def test_an_iteration_that_is_left_early_counts_what_it_has_done(telemetry: Any) -> None:
    wafers = iter(range(25))
    with waferscope.job("overlay") as job:
        for slot in job.track(wafers, total=25):
            if slot == 4:
                break
    assert next(wafers) == 5  # nothing was taken beyond what the loop saw
    assert telemetry.events()[-1][1]["wafer.job.progress.done"] == 4.0


@pytest.mark.usefixtures("telemetry")
def test_an_exception_of_the_iterable_passes() -> None:
    error = ValueError("bad wafer")

    def wafers() -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(ValueError, match="bad wafer") as caught, waferscope.job("overlay") as job:
        list(job.track(wafers()))
    assert caught.value is error


@pytest.mark.usefixtures("telemetry")
def test_the_length_is_that_of_the_items() -> None:
    with waferscope.job("overlay") as job:
        assert len(job.track([1, 2])) == 2
        with pytest.raises(TypeError, match="no len"):
            len(job.track(iter([1])))
        with pytest.raises(TypeError, match="not iterable"):
            list(job.track(7))  # type: ignore[arg-type, var-annotated]


@pytest.mark.usefixtures("telemetry")
@pytest.mark.parametrize(("items", "truth"), [((slot for slot in [1]), True), ([1], True), ([], False)])
def test_it_is_true_where_the_items_are(items: Any, *, truth: bool) -> None:
    assert bool(waferscope.current_job().track(items)) is truth


@pytest.mark.usefixtures("telemetry")
def test_of_iterations_within_each_other_the_outermost_tells_the_progress_of_the_job() -> None:
    seen = []
    with waferscope.job("lot") as lot:
        for _ in lot.track(range(2)):
            seen += [_position(lot) for _ in lot.track(range(10))]
            with waferscope.job("wafer") as wafer:
                for _ in wafer.track(range(3)):
                    pass
                assert _position(wafer) == (3, 3)
        assert seen == [(0, 2)] * 10 + [(1, 2)] * 10
        for _ in lot.track(range(5)):
            pass
        assert _position(lot) == (5, 5)


@pytest.mark.usefixtures("telemetry")
def test_a_total_that_is_exceeded_is_none() -> None:
    with waferscope.job("overlay") as job:
        assert [_position(job) for _ in job.track(iter("abc"), total=1)] == [(0, 1), (1, 1), (2, None)]


def test_a_million_rounds_make_no_event(telemetry: Any) -> None:
    with waferscope.job("overlay") as job:
        for _ in job.track(range(10_000)):
            pass
    assert len(telemetry.events()) == 2


SCRIPT = """
    import asyncio, os, sys, waferscope
    with waferscope.job("overlay") as job:
        {loop}
"""
LOOPS = {
    "for": 'for wafer in job.track(range(3), unit="wafer"): pass',
    "no total": 'for wafer in job.track(iter(range(3)), unit="wafer"): pass',
    "break": 'for wafer in job.track(range(3), unit="wafer"): break',
    "async": """
        async def wafers():
            for wafer in range(3): yield wafer
        async def main():
            async for _ in job.track(wafers(), 3, "wafer"): pass
        asyncio.run(main())""",
}


def _on_terminal(loop: str, **env: str) -> str:
    """Run with standard error on a pseudo-terminal, standard output in a pipe; give what the terminal got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT).format(loop=loop)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "OTEL_SDK_DISABLED": "true", "TERM": "xterm", "PYTHONUTF8": "1", **env},
    )
    os.close(theirs)
    got, deadline = b"", time.monotonic() + 20
    try:
        while time.monotonic() < deadline and select.select([ours], [], [], 20)[0]:
            read = os.read(ours, 4096)
            if not read:
                break
            got += read
    except OSError:  # Linux tells so that the other side is closed
        pass
    finally:
        os.close(ours)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, b"")
    return got.decode()


@pytest.mark.parametrize(
    ("loop", "last"),
    [
        ("for", "overlay: 100% |"),
        ("no total", "overlay: 3 wafer ["),
        ("break", "0/3 wafer ["),
        ("async", "3/3 wafer ["),
    ],
)
def test_a_terminal_shows_a_bar_that_ends_with_its_line(loop: str, last: str) -> None:
    shown = _on_terminal(LOOPS[loop])
    first, *lines = shown.split("\r")
    assert first == ""
    assert last in lines[-2]
    assert lines[-1] == "\n"
    assert all(line.endswith("\x1b[K") for line in lines[:-1])
    assert len(lines) <= 4  # ten a second at the most: the first, the last, and what a slow machine adds


def test_a_terminal_shows_the_outermost_of_iterations_within_each_other() -> None:
    shown = _on_terminal("""
        for lot in job.track(range(2), unit="lot"):
            for wafer in waferscope.current_job().track(range(25), unit="wafer"): pass
        for chip in job.track(range(2), unit="chip"): pass""")
    assert "wafer" not in shown
    assert (shown.count("\n"), shown.count("2/2 lot"), shown.count("2/2 chip")) == (2, 1, 1)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_blocks_shows_others(encoding: str) -> None:
    shown = _on_terminal(LOOPS["for"], PYTHONUTF8="0", PYTHONIOENCODING=encoding)
    assert "100% |############| 3/3 wafer" in shown
    assert "\\u" not in shown


@pytest.mark.parametrize("env", [{"WAFERSCOPE_PROGRESS_BAR": "false"}, {"TERM": "dumb"}])
def test_no_bar_where_it_is_not_wanted(env: dict[str, str]) -> None:
    assert _on_terminal(LOOPS["for"], **env) == ""


def test_no_bar_where_there_is_no_terminal(run: Any) -> None:
    ended = run(SCRIPT.format(loop=LOOPS["for"]), OTEL_SDK_DISABLED="true")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize(
    ("done", "total", "elapsed", "line"),
    [
        (0, 25, 0.0, "overlay:   0% |            | 0/25 wafer [00:00<?, 0.00 wafer/s]"),
        (5, 25, 10.0, "overlay:  20% |██▍         | 5/25 wafer [00:10<00:40, 2.00 s/wafer]"),
        (1, 3, 0.5, "overlay:  33% |████        | 1/3 wafer [00:00<00:01, 2.00 wafer/s]"),
        (25, 25, 3661.0, "overlay: 100% |████████████| 25/25 wafer [1:01:01<00:00, 146.44 s/wafer]"),
        (9, 3, 1.0, "overlay: 100% |████████████| 9/3 wafer [00:01<00:00, 9.00 wafer/s]"),
        (4, None, 2.0, "overlay: 4 wafer [00:02, 2.00 wafer/s]"),
        (0, 0, 0.0, "overlay: 0 wafer [00:00, 0.00 wafer/s]"),
    ],
)
def test_the_bar_tells_share_count_time_left_and_speed(done: int, total: int | None, elapsed: float, line: str) -> None:
    assert bar.line_of("overlay", done, total, "wafer", elapsed) == line
