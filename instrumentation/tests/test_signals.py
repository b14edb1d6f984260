"""Signals: the process dies, or lives, as it does without the wrapper; what it was about is told in bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest
from support.otlp import plain

END = "wafer.job.ended"

PYTHON = "while True: pass"
SLEEP = "time.sleep(60)"
HASH = "hashlib.pbkdf2_hmac('sha256', b'x', b'y', 10**9)"  # one native call that lets other threads run
JOIN = "thread.join()"

JOB = """
    import faulthandler, hashlib, os, signal, sys, threading, time, waferscope
    {before}
    with waferscope.job("overlay") as job, job.step("fit"):
        {within}
        print("begun", flush=True)
        {work}
"""


def _begin(start: Any, receiver: Any, *, before: str = "", within: str = "", work: str = SLEEP, **env: str) -> Any:
    script = JOB.format(before=before, within=within, work=work)
    process = start(script, OTEL_EXPORTER_OTLP_ENDPOINT=getattr(receiver, "url", receiver), **env)
    assert process.stdout.readline() == "begun\n"
    return process


def _ends(receiver: Any) -> list[tuple[Any, Any]]:
    return [
        (said["wafer.job.result"], said.get("wafer.job.result_reason"))
        for name, said in receiver.events()
        if name == END
    ]


@pytest.mark.parametrize("work", [PYTHON, SLEEP, HASH, JOIN])
def test_sigterm_kills_at_once_and_the_job_is_told_as_cancelled(receiver: Any, start: Any, work: str) -> None:
    before = "thread = threading.Thread(target=time.sleep, args=(60,)); thread.start()" if work == JOIN else ""
    process = _begin(start, receiver, before=before, work=work)
    sent = time.monotonic()
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    assert time.monotonic() - sent < 10
    assert _ends(receiver) == [("cancellation", "SIGTERM")]
    assert process.stderr.read() == ""


@pytest.mark.parametrize("setting", ["faulthandler.enable()", "faulthandler.dump_traceback_later(1000)"])
def test_the_hosts_own_use_of_faulthandler_is_undisturbed(receiver: Any, start: Any, setting: str) -> None:
    process = _begin(start, receiver, before=setting)
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    assert _ends(receiver) == [("cancellation", "SIGTERM")]


def test_a_crash_still_dumps_the_hosts_traceback(receiver: Any, start: Any) -> None:
    process = _begin(start, receiver, before="faulthandler.enable()", work="faulthandler._sigsegv()")
    assert process.wait(20) == -signal.SIGSEGV
    assert "Segmentation fault" in process.stderr.read()


def test_a_silent_receiver_holds_a_dying_process_for_a_bounded_time(black_hole: str, start: Any) -> None:
    process = _begin(start, black_hole, WAFERSCOPE_FLUSH_TIMEOUT="0.3")
    sent = time.monotonic()
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    assert time.monotonic() - sent < 10


EXITS = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))"
NOTES = "signal.signal(signal.SIGTERM, lambda *_: (print('handled', flush=True), os._exit(5)))"
FORK = "\n        pid = os.fork()\n        if not pid: os._exit(0)\n        os.waitpid(pid, 0)"


@pytest.mark.parametrize("fork", ["", FORK])
@pytest.mark.parametrize("where", ["before", "within"])
def test_a_handler_of_the_host_is_the_only_one(receiver: Any, start: Any, where: str, fork: str) -> None:
    placed = {where: EXITS if where == "before" else EXITS + fork}
    if where == "before":
        placed["within"] = fork.lstrip() and fork
    process = _begin(start, receiver, **placed)
    process.terminate()
    assert process.wait(20) == 143
    assert _ends(receiver) == [("cancellation", None)]


def test_a_handler_of_the_host_that_leaves_at_once_is_obeyed(receiver: Any, start: Any) -> None:
    process = _begin(start, receiver, within=NOTES)
    process.terminate()
    assert (process.wait(20), process.stdout.read()) == (5, "handled\n")


def test_after_a_handler_of_the_host_has_gone_again_the_signal_kills(receiver: Any, start: Any) -> None:
    within = "signal.signal(signal.SIGTERM, signal.signal(signal.SIGTERM, signal.SIG_IGN))" + FORK
    process = _begin(start, receiver, within=within)
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    assert _ends(receiver) == [("cancellation", "SIGTERM")]


NATIVE = "library.signal(signal.SIGTERM, ctypes.cast(library.getpid, ctypes.c_void_p))"
DUMP = "faulthandler.register(signal.SIGTERM, file=devnull)"


@pytest.mark.parametrize("handler", [NATIVE, DUMP])
@pytest.mark.parametrize("fork", ["pass", "os.fork() or os._exit(0); os.wait()"])
def test_a_handler_below_python_stays_whenever_it_comes(run: Any, handler: str, fork: str) -> None:
    script = f"""
        import atexit, ctypes, faulthandler, os, signal, sys, waferscope
        def late():
            os.kill(os.getpid(), signal.SIGTERM)
            print("lives to the end", flush=True)
        atexit.register(late)
        with waferscope.job("overlay"):
            pass
        library, devnull = ctypes.PyDLL(None), open(os.devnull, "w")
        {handler}
        {fork}
        os.kill(os.getpid(), signal.SIGTERM)
        print("lives on", flush=True)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", WAFERSCOPE_FLUSH_TIMEOUT="0.1")
    assert (ended.code, ended.out) == (0, "lives on\nlives to the end\n"), ended.err


@pytest.mark.parametrize("broken", ["termination._came", "termination.Termination._release", "sigaction.handler"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_fault_amid_the_watch_leaves_the_signal_as_deadly_as_it_is(run: Any, broken: str, when: str) -> None:
    owner, _, name = broken.rpartition(".")
    script = f"""
        import os, signal, time
        import waferscope
        from waferscope._internal import sigaction, termination
        def fails(*_):
            raise RuntimeError
        if "{when}" == "before":
            {owner}.{name} = fails
        with waferscope.job("overlay"):
            {owner}.{name} = fails
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(20)
    """
    assert run(script, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", WAFERSCOPE_FLUSH_TIMEOUT="0.1").code == -15


def test_an_ignored_signal_stays_ignored(receiver: Any, start: Any) -> None:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    process = _begin(start, receiver, before=ignore, work="os.kill(os.getpid(), signal.SIGTERM)")
    assert process.wait(20) == 0
    assert _ends(receiver) == [("success", None)]


def test_sigint_is_a_cancellation(receiver: Any, start: Any) -> None:
    process = _begin(start, receiver)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
    assert process.stderr.read().splitlines()[-1] == "KeyboardInterrupt"
    assert _ends(receiver) == [("cancellation", None)]


@pytest.mark.parametrize(
    "close", ["os.closerange(3, 256)", "[os.close(int(n)) for n in os.listdir('/proc/self/fd')[3:]]"]
)
def test_a_process_that_closes_what_it_does_not_know_still_dies_of_the_signal(
    start: Any, close: str, black_hole: str, until: Any
) -> None:
    within = f"""
        try:
            {close}
        except OSError:
            pass
        caught, deadline = True, time.monotonic() + 10
        while caught and time.monotonic() < deadline:  # the watching thread gives the signal its default action back
            time.sleep(0.01)
            with open("/proc/self/status") as status:
                caught = int(next(line for line in status if line.startswith("SigCgt")).split()[1], 16) >> 14 & 1
    """
    process = _begin(start, black_hole, within=within, WAFERSCOPE_FLUSH_TIMEOUT="0.1")

    def dead() -> bool:
        process.terminate()  # once more, should the first one have come before our thread saw what was closed
        return process.poll() is not None

    until(dead)
    assert process.wait() == -signal.SIGTERM


def test_a_signal_to_a_child_that_native_code_has_forked_reaches_the_child_only(receiver: Any, run: Any) -> None:
    script = """
        import ctypes, os, signal, waferscope
        native = ctypes.PyDLL(None)
        with waferscope.job("overlay"):
            pid = native.fork()  # past the hooks of Python
            if pid == 0:
                os.kill(os.getpid(), signal.SIGTERM)
                os.execv("/bin/sleep", ["sleep", "60"])
            print(os.waitpid(pid, 0)[1])
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, f"{int(signal.SIGTERM)}\n", "")
    assert _ends(receiver) == [("success", None)]


def test_signals_to_forked_children_never_reach_the_parent(receiver: Any, run: Any) -> None:
    script = """
        import multiprocessing, time, waferscope
        def idle():
            time.sleep(60)
        def busy(number):
            with waferscope.job("child"):
                time.sleep(60)
        if __name__ == "__main__":
            fork = multiprocessing.get_context("fork")
            with waferscope.job("overlay"):
                for _ in range(20):
                    child = fork.Process(target=idle)
                    child.start()
                    child.terminate()
                    child.join()
                    assert child.exitcode == -15, child.exitcode
                pool = fork.Pool(2)
                pool.map_async(busy, range(2))
                pool.terminate()
                pool.join()
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.err) == (0, "")
    said = [said for name, said in receiver.events() if name == END and said["wafer.job.name"] == "overlay"]
    assert [each["wafer.job.result"] for each in said] == ["success"]


def test_a_child_that_runs_a_job_tells_of_its_own_end(receiver: Any, start: Any) -> None:
    process = start(
        """
        import os, time, waferscope
        with waferscope.job("parent"):
            pid = os.fork()
            if pid == 0:
                with waferscope.job("child"):
                    print(os.getpid(), flush=True)
                    time.sleep(60)
            print(os.waitpid(pid, 0)[1], flush=True)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    os.kill(int(process.stdout.readline()), signal.SIGTERM)
    assert process.stdout.readline() == f"{int(signal.SIGTERM)}\n"
    assert process.wait(20) == 0
    ends = {said["wafer.job.name"]: said["wafer.job.result"] for name, said in receiver.events() if name == END}
    assert ends == {"parent": "success", "child": "cancellation"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", ["{}", "{'preexec_fn': int}", "{'start_new_session': True}", "{'close_fds': False}"])
def test_a_command_gets_the_signals_that_it_gets_without(run: Any, how: str) -> None:
    script = f"""
        import subprocess, waferscope
        def masks():
            said = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True, **{how})
            lines = dict(line.split(":", 1) for line in said.stdout.splitlines())
            own_of_glibc = 3 << 31  # it changes those with the first thread of any program
            return [int(lines[key], 16) & ~own_of_glibc for key in ("SigBlk", "SigIgn", "SigCgt")]
        before = masks()
        waferscope.configure()
        with waferscope.job("overlay"):
            print(before == masks(), len(before), before, masks())
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", WAFERSCOPE_FLUSH_TIMEOUT="0.1")
    assert ended.out.startswith("True 3 "), ended.out


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces of Linux")
def test_the_first_process_of_a_container_lives_on_as_it_does_without(receiver: Any) -> None:
    """The kernel keeps a signal with default action from it."""
    first = ["unshare", "--pid", "--fork"]
    if subprocess.run([*first, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no right to make a namespace of process ids")
    script = textwrap.dedent(
        """
        import os, signal, waferscope
        with waferscope.job("overlay"):
            os.kill(os.getpid(), signal.SIGTERM)
            waferscope.flush(10)
        print(os.getpid(), "lives")
        """
    )
    env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    command = [*first, sys.executable, "-c", script]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "1 lives\n")
    assert _ends(receiver) == [("success", None)]


def test_the_step_that_ran_at_sigterm_has_a_span(receiver: Any, start: Any) -> None:
    process = _begin(start, receiver)
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    spans = {span.name: plain(span.attributes) for span in receiver.spans()}
    assert spans["fit"]["wafer.step.result"] == spans["overlay"]["wafer.job.result"] == "cancellation"
    assert spans["fit"]["wafer.step.result_reason"] == "SIGTERM"
