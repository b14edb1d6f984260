"""Other loops and interpreters: uvloop, gevent, trio, many tasks; python -O, -W error, -X dev, -I."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections import Counter
from typing import Any

import pytest

END = "wafer.job.ended"

FORKING = """
    import os, waferscope
    with waferscope.job("overlay", lot="L") as job, job.step("fit"):
        pid = os.fork()
        if pid == 0:
            with waferscope.job("child"):
                pass
            os._exit(0 if waferscope.flush(20) else 1)
        print(os.waitpid(pid, 0)[1])
"""


def _ended(receiver: Any) -> Counter[tuple[str, str]]:
    return Counter(
        (said["wafer.job.name"], said["wafer.job.result"]) for name, said in receiver.events() if name == END
    )


@pytest.mark.parametrize("options", ["-O", "-OO", "-W error", "-X dev", "-X faulthandler", "-I", "-X dev -W error"])
def test_under_any_option_of_python_all_arrives_and_nothing_is_printed(receiver: Any, options: str) -> None:
    flags = [*options.split(), "-W", "ignore:This process:DeprecationWarning"]  # of any fork amid threads, from 3.12 on
    ended = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(FORKING)],
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0\n", "")
    assert _ended(receiver) == {("overlay", "success"): 1, ("child", "success"): 1}
    assert Counter(span.name for span in receiver.spans()) == {"overlay": 1, "fit": 1, "child": 1}


TASKS = """
    import asyncio, waferscope
    {imports}
    async def one(number):
        async with waferscope.job(f"wafer", lot=f"L{{number % 5}}") as job:
            await asyncio.sleep(0.001 * (number % 7))
            assert waferscope.current_job() is job
            async with waferscope.step("fit") as step:
                await asyncio.sleep(0)
                assert waferscope.current_step() is step
            if number == 99:
                await asyncio.Event().wait()
            return job.id
    async def main():
        with waferscope.job("lot") as lot:
            tasks = [asyncio.ensure_future(one(number)) for number in range(100)]
            await asyncio.wait(tasks[:99])
            assert waferscope.current_job() is lot
            tasks[99].cancel()
            await asyncio.wait(tasks)
            assert tasks[99].cancelled()
            print(len({{task.result() for task in tasks[:99]}}))
        assert waferscope.current_job() is not lot
    {start}
"""


@pytest.mark.parametrize(
    ("imports", "begin"),
    [("", "asyncio.run(main())"), ("import uvloop", "uvloop.run(main())")],
    ids=["asyncio", "uvloop"],
)
def test_a_hundred_tasks_keep_to_their_own_jobs(receiver: Any, run: Any, imports: str, begin: str) -> None:
    ended = run(TASKS.format(imports=imports, start=begin), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, "99\n", "")
    assert _ended(receiver) == {("lot", "success"): 1, ("wafer", "success"): 99, ("wafer", "cancellation"): 1}
    jobs = {bytes(span.span_id): span.name for span in receiver.spans()}
    parents = Counter((span.name, jobs[bytes(span.parent_span_id)]) for span in receiver.spans() if span.parent_span_id)
    assert parents == {("wafer", "lot"): 100, ("fit", "wafer"): 100}


def test_a_handler_of_signals_on_uvloop_is_the_only_one(receiver: Any, start: Any) -> None:
    script = """
        import asyncio, signal, uvloop, waferscope
        async def main():
            with waferscope.job("overlay") as job:
                stopped = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
                print("begun", flush=True)
                await stopped.wait()
                job.cancel("told to stop")
        uvloop.run(main())
        print("left by itself")
    """
    process = start(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    assert (process.wait(20), process.stdout.read()) == (0, "left by itself\n")
    assert _ended(receiver) == {("overlay", "cancellation"): 1}


def test_cancelled_tasks_of_trio_are_cancellations(receiver: Any, run: Any) -> None:
    script = """
        import trio, waferscope
        async def forever():
            async with waferscope.job("overlay"), waferscope.step("fit"):
                await trio.sleep_forever()
        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(forever)
                nursery.start_soon(forever)
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
        import trio.testing
        trio.run(main)
        print("left")
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, "left\n", "")
    assert _ended(receiver) == {("overlay", "cancellation"): 2}


GEVENT = """
    from gevent import monkey
    monkey.patch_all()
    import gevent, time, waferscope
    def work(number):
        with waferscope.job("wafer") as job:
            assert waferscope.current_job() is job
            with job.step("fit"):
                deadline = time.monotonic() + 10
                while job._run._sequence < 3 and time.monotonic() < deadline:
                    gevent.sleep(0.01)
            assert waferscope.current_job() is job
    def forever():
        with waferscope.job("forever"):
            gevent.sleep(60)
    jobs = [gevent.spawn(work, number) for number in range(20)]
    killed = gevent.spawn(forever)
    gevent.joinall(jobs, raise_error=True)
    killed.kill()
    print(len(jobs), type(killed.value).__name__)
"""


def test_jobs_in_greenlets_are_told_and_heard_of(receiver: Any, run: Any) -> None:
    ended = run(GEVENT, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, WAFERSCOPE_HEARTBEAT_INTERVAL="0.05")
    assert (ended.code, ended.out, ended.err) == (0, "20 GreenletExit\n", "")
    assert _ended(receiver) == {("wafer", "success"): 20, ("forever", "cancellation"): 1}
    beats = {said["wafer.job.id"] for name, said in receiver.events() if name == "wafer.job.heartbeat"}
    assert len(beats) == 21
    assert Counter(span.name for span in receiver.spans()) == {"wafer": 20, "fit": 20, "forever": 1}


def test_an_exit_under_gevent_is_bounded(black_hole: str, run: Any) -> None:
    ended = run(GEVENT, OTEL_EXPORTER_OTLP_ENDPOINT=black_hole, WAFERSCOPE_FLUSH_TIMEOUT="0.3")
    assert (ended.code, ended.out) == (0, "20 GreenletExit\n")
    assert ended.seconds < 30


def test_sigterm_kills_a_busy_greenlet_as_it_does_without(receiver: Any, start: Any) -> None:
    """A greenlet of the wrapper would wait for the busy one: the signal is left to its default action."""
    script = """
        from gevent import monkey
        monkey.patch_all()
        import waferscope
        with waferscope.job("overlay"):
            print("begun", flush=True)
            while True:
                pass
    """
    process = start(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    assert process.wait(20) == -15
