"""The wrapper's threads are out of the host's way: they take no signals, and keep nobody waiting."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

import pytest

from waferscope._internal.helper import Helper

QUIET = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "WAFERSCOPE_FLUSH_TIMEOUT": "0.1"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_thread_of_ours_blocks_all_signals_but_those_of_its_own_faults(run: Any) -> None:
    script = """
        import os, signal, threading, waferscope
        OWN = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP", "SIGKILL", "SIGSTOP"}
        def blocked(thread):
            with open(f"/proc/self/task/{thread.native_id}/status") as status:
                mask = int(next(line for line in status if line.startswith("SigBlk")).split()[1], 16)
            return {number for number in signal.valid_signals() if mask >> (number - 1) & 1}
        def look():
            ours = [thread for thread in threading.enumerate() if thread.name.startswith("waferscope")]
            wanted = {number for number in signal.valid_signals() if getattr(number, "name", "") not in OWN}
            assert all(blocked(thread) == wanted for thread in ours), [blocked(thread) ^ wanted for thread in ours]
            assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
            return len(ours)
        with waferscope.job("overlay"):
            pass
        print(look())
        pid = os.fork()
        if pid == 0:
            with waferscope.job("child"):
                pass
            print(look(), flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        print(look())
    """
    ended = run(script, **QUIET)
    assert (ended.code, ended.out.split()) == (0, ["3", "3", "3"]), ended.err


@pytest.mark.parametrize("action", ["lambda *_: print('handled', flush=True)", "signal.SIG_DFL"])
@pytest.mark.parametrize("name", ["SIGUSR1", "SIGTERM", "SIGINT"])
def test_what_the_host_blocks_stays_away_until_it_lets_it_in(start: Any, name: str, action: str) -> None:
    script = f"""
        import os, signal, subprocess, waferscope
        with waferscope.job("overlay"):
            pass
        signal.signal(signal.{name}, {action})
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.{name}])
        subprocess.run(["kill", "-{name[3:]}", str(os.getpid())], check=True)
        waferscope.flush(0.1)
        print(signal.{name} in signal.sigpending(), flush=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.{name}])
        print("lives on", flush=True)
        os._exit(0)
    """
    process = start(script, **QUIET)
    handled = "print" in action
    out, _ = process.communicate(timeout=60)
    assert out == ("True\nhandled\nlives on\n" if handled else "True\n")
    assert process.returncode == (0 if handled else -getattr(signal, name))


def test_who_joins_all_threads_does_not_wait_for_ours(run: Any) -> None:
    script = """
        import threading, time, waferscope
        with waferscope.job("overlay"):
            pass
        threading.Thread(target=time.sleep, args=(0.1,)).start()
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join()
        print("all joined")
    """
    ended = run(script, **QUIET)
    assert (ended.code, ended.out) == (0, "all joined\n")


def test_a_start_that_raises_leaves_the_mask_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise TimeoutError

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(TimeoutError):
        Helper(lambda: None, (), "waferscope-test").start()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
