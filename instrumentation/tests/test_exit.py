"""Ends of a process: its exit code and what it prints stay, its telemetry leaves in bounded time."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

END = "wafer.job.ended"


def _results(receiver: Any) -> list[str]:
    return [said["wafer.job.result"] for name, said in receiver.events() if name == END]


def test_threads_that_leave_by_sys_exit_end_their_jobs(receiver: Any, run: Any) -> None:
    script = """
        import sys, threading, waferscope
        def work():
            with waferscope.job("overlay"):
                sys.exit(3)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print("goes on")
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, "goes on\n", "")
    assert _results(receiver) == ["failure"]


def test_jobs_of_daemon_threads_are_cancelled_at_exit(receiver: Any, run: Any) -> None:
    script = """
        import threading, time, waferscope
        begun = threading.Event()
        def work():
            with waferscope.job("overlay") as job:
                begun.set()
                while True:
                    with job.step("fit"):
                        time.sleep(0.001)
        threading.Thread(target=work, daemon=True).start()
        begun.wait()
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert _results(receiver) == ["cancellation"]


def test_jobs_in_exit_handlers_are_told(receiver: Any, run: Any) -> None:
    """Those of handlers that were registered before the first job run after the wrapper's own."""
    script = """
        import atexit, waferscope
        def late():
            with waferscope.job("late"):
                print("late")
            waferscope.flush()
        def early():
            with waferscope.job("early"):
                print("early")
        atexit.register(late)
        with waferscope.job("overlay"):
            pass
        atexit.register(early)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, "early\nlate\n", "")
    assert _results(receiver) == ["success", "success", "success"]


def test_the_first_job_of_a_process_may_begin_while_it_ends(receiver: Any, run: Any) -> None:
    script = """
        import atexit, waferscope
        def late():
            with waferscope.job("late") as job, job.step("fit"):
                print("late")
        atexit.register(late)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out) == (0, "late\n")
    assert "Traceback" not in ended.err.replace("Traceback (most recent call last):\n  File", "", 1)


def test_an_exit_amid_an_export_is_bounded(receiver: Any, run: Any) -> None:
    receiver.delay = 30.0
    script = """
        import sys, threading, waferscope
        with waferscope.job("overlay"):
            pass
        waferscope.flush(0.1)
        sys.exit(4)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, WAFERSCOPE_FLUSH_TIMEOUT="0.3")
    assert (ended.code, ended.out) == (4, "")
    assert ended.seconds < 10
    assert ended.err.count("\n") == 1
    assert "could not all be delivered" in ended.err


def test_os_exit_is_as_immediate_as_ever(black_hole: str, run: Any) -> None:
    script = """
        import os, waferscope
        with waferscope.job("overlay"):
            os._exit(6)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=black_hole, WAFERSCOPE_FLUSH_TIMEOUT="30")
    assert (ended.code, ended.out, ended.err) == (6, "", "")
    assert ended.seconds < 20


@pytest.mark.parametrize("moment", ["with waferscope.job('overlay'): pass", "atexit.register(waferscope.flush)"])
def test_a_signal_while_the_process_ends_is_what_it_dies_of(black_hole: str, start: Any, moment: str) -> None:
    """Else it would look as if it had ended by itself."""
    script = f"""
        import atexit, time, waferscope
        class Slow:
            def __del__(self, sleep=time.sleep, write=print):
                write("going down", flush=True)
                sleep(60)
        slow = Slow()
        slow.itself = slow
        with waferscope.job("overlay"):
            pass
        {moment}
    """
    process = start(script, OTEL_EXPORTER_OTLP_ENDPOINT=black_hole, WAFERSCOPE_FLUSH_TIMEOUT="0.1")
    assert process.stdout.readline() == "going down\n"
    sent = time.monotonic()
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    assert time.monotonic() - sent < 10


def test_a_signal_amid_the_last_flush_is_what_the_process_dies_of(receiver: Any, start: Any) -> None:
    receiver.delay = 0.5
    script = """
        import atexit, waferscope
        with waferscope.job("overlay"):
            pass
        atexit.register(lambda: print("ending", flush=True))
    """
    process = start(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert process.stdout.readline() == "ending\n"
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM


@pytest.mark.parametrize(("refused", "flushed"), [("waferscope", "False"), ("", "True")])
def test_a_refused_thread_costs_the_telemetry_and_nothing_else(
    receiver: Any, run: Any, refused: str, flushed: str
) -> None:
    script = f"""
        import threading
        start = threading.Thread.start
        def refuse(self):
            if self.name.startswith("{refused}"):
                raise RuntimeError("can't start new thread")
            start(self)
        threading.Thread.start = refuse
        import waferscope
        with waferscope.job("overlay") as job, job.step("fit"):
            print("works")
        print(waferscope.flush(5))
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out) == (0, f"works\n{flushed}\n")  # nothing waits where no pipeline could be made
    assert ended.seconds < 10
    assert receiver.bodies == []


def test_none_exports_are_flushed_at_once(run: Any) -> None:
    script = """
        import time, waferscope
        with waferscope.job("overlay"):
            pass
        began = time.monotonic()
        assert waferscope.flush(20)
        print(time.monotonic() - began < 5)
    """
    ended = run(script, OTEL_TRACES_EXPORTER="none", OTEL_LOGS_EXPORTER="none", OTEL_METRICS_EXPORTER="none")
    assert (ended.code, ended.out, ended.err) == (0, "True\n", "")
