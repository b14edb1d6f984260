"""Forks of every kind: amid an export, in threads, of children, before another program: no deadlock, nothing twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

END = "wafer.job.ended"


def _ended(receiver: Any) -> Counter[str]:
    return Counter(said["wafer.job.name"] for name, said in receiver.events() if name == END)


def _check(receiver: Any, ended: Any, expected: dict[str, int]) -> None:
    assert (ended.code, ended.err) == (0, "")
    assert _ended(receiver) == expected
    assert Counter(span.name for span in receiver.spans()) == expected
    assert len({bytes(span.span_id) for span in receiver.spans()}) == sum(expected.values())
    assert sum(point.count for point in receiver.points("wafer.job.duration")) == sum(expected.values())


CHILD = """
    import os, threading, time, waferscope
    def child(name="child"):
        pid = os.fork()
        if pid == 0:
            with waferscope.job(name):
                pass
            os._exit(0 if waferscope.flush(20) else 1)
        assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_fork_amid_an_export(receiver: Any, run: Any) -> None:
    receiver.delay = 0.3
    script = (
        CHILD
        + """
    with waferscope.job("parent"):
        pass
    from waferscope._internal import process
    deadline = time.monotonic() + 10
    while not any(channel._waiting for channel in process.current()._channels) and time.monotonic() < deadline:
        time.sleep(0.001)
    child()
    """
    )
    _check(receiver, run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url), {"parent": 1, "child": 1})


def test_a_fork_in_each_of_several_threads(receiver: Any, run: Any) -> None:
    script = (
        CHILD
        + """
    def work():
        with waferscope.job("thread"):
            for _ in range(5):
                child()
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """
    )
    _check(receiver, run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url), {"thread": 3, "child": 15})


def test_a_fork_after_a_second_configure(receiver: Any, run: Any) -> None:
    script = (
        CHILD
        + """
    waferscope.configure(service="first")
    with waferscope.job("retired"):
        waferscope.configure(service="second")
        child()
        with waferscope.job("parent"):
            child()
    """
    )
    _check(receiver, run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url), {"retired": 1, "parent": 1, "child": 2})


def test_a_child_that_tells_nothing_pays_next_to_nothing(run: Any) -> None:
    """No sessions, no exporters, no look at the process or at the installed packages; the child that tells pays."""
    script = (
        CHILD
        + """
    import requests
    from waferscope._internal import process, runtime
    from opentelemetry.sdk import resources, trace
    from opentelemetry.sdk._logs import _internal
    made = []
    def counted(what, name):
        below = getattr(what, name)
        def count(*args, **kwargs):
            made.append(name)
            return below(*args, **kwargs)
        setattr(what, name, count)
    counted(requests, "Session")
    counted(runtime, "Process")
    if hasattr(trace, "_get_process_dependent_resource"):
        counted(trace, "_get_process_dependent_resource")
        counted(_internal, "_get_process_dependent_resource")
    with waferscope.job("parent"):
        pass
    made.clear()
    for uses in (False, True):
        pid = os.fork()
        if pid == 0:
            if uses:
                with waferscope.job("child"):
                    pass
                waferscope.flush(0.1)
            print(len(made) > 0, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
    """
    )
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", WAFERSCOPE_FLUSH_TIMEOUT="0.1")
    assert (ended.code, ended.out) == (0, "False\nTrue\n"), ended.err


def test_a_child_of_a_child(receiver: Any, run: Any) -> None:
    script = (
        CHILD
        + """
    with waferscope.job("parent"):
        pid = os.fork()
        if pid == 0:
            with waferscope.job("middle"):
                child("last")
            os._exit(0 if waferscope.flush(20) else 1)
        assert os.waitpid(pid, 0)[1] == 0
    """
    )
    _check(receiver, run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url), {"parent": 1, "middle": 1, "last": 1})
    said = {said["wafer.job.name"]: said for _, said in receiver.events()}
    assert said["last"]["wafer.job.parent.id"] == said["middle"]["wafer.job.id"]
    assert said["middle"]["wafer.job.parent.id"] == said["parent"]["wafer.job.id"]


def test_a_child_that_runs_another_program(receiver: Any, run: Any) -> None:
    script = """
        import os, sys, waferscope
        with waferscope.job("parent"):
            pid = os.fork()
            if pid == 0:
                program = "import waferscope\\nwith waferscope.job('program'): pass"
                os.execve(sys.executable, [sys.executable, "-c", program], waferscope.environment())
            assert os.waitpid(pid, 0)[1] == 0
    """
    _check(receiver, run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url), {"parent": 1, "program": 1})


def test_pythons_warning_of_a_fork_amid_threads_is_no_exception_where_warnings_are(receiver: Any, run: Any) -> None:
    script = (
        CHILD
        + """
    import multiprocessing, pty, subprocess
    with waferscope.job("parent"):
        child()
        pid, terminal = pty.fork()
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        os.close(terminal)
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0,))
        process.start()
        process.join()
        assert process.exitcode == 0
        subprocess.run(["true"], check=True, preexec_fn=lambda: None)
    """
    )
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, PYTHONWARNINGS="error")
    _check(receiver, ended, {"parent": 1, "child": 1})


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing(receiver: Any, run: Any, tmp_path: Any, method: str) -> None:
    (tmp_path / "forked.py").write_text(
        "import waferscope\ndef work():\n    with waferscope.job('child'):\n        pass\n"
    )
    script = f"""
        import multiprocessing, forked, waferscope
        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            with waferscope.job("parent"):
                children = [context.Process(target=forked.work) for _ in range(3)]
                for child in children:
                    child.start()
                for child in children:
                    child.join()
                    assert child.exitcode == 0
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, PYTHONPATH=str(tmp_path))
    _check(receiver, ended, {"parent": 1, "child": 3})


def test_a_daemon_that_forks_twice_and_closes_everything(receiver: Any, run: Any, until: Any) -> None:
    script = """
        import os, waferscope
        with waferscope.job("before"):
            pass
        assert waferscope.flush(20)
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.closerange(0, 256)
        for _ in range(3):
            os.open(os.devnull, os.O_RDWR)
        with waferscope.job("daemon"):
            pass
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    until(lambda: receiver.points("wafer.job.duration")[1:])
    _check(receiver, ended, {"before": 1, "daemon": 1})


def test_a_broken_renewal_of_one_part_does_not_keep_the_others_from_theirs(receiver: Any, run: Any) -> None:
    script = (
        """
    from waferscope._internal import ids, termination
    def broken(*_):
        raise LookupError
    ids.reseed = termination.Termination.renew = broken
    import logging
    logging.disable()
    """
        + CHILD
        + """
    with waferscope.job("parent"):
        child()
    """
    )
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, _ended(receiver)) == (0, {"parent": 1, "child": 1})
