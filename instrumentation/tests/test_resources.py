"""What a job uses: CPU time, memory and IO of the process and its children."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import waferscope
from waferscope._internal import guard, process, usage
from waferscope._internal.children import Children
from waferscope._internal.usage import Memory, Usage

CPU = 0.3  # s


def _ended(telemetry: Any) -> dict[str, Any]:
    said: dict[str, Any] = telemetry.events()[-1][1]
    return said


def _cpu(said: dict[str, Any]) -> float:
    return float(said["wafer.job.cpu.user"] + said["wafer.job.cpu.system"])


def _used(probe: usage.Process) -> float:
    said = probe.usage()
    return said.user + said.system


def _burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


BURN = f"""
import sys, time
memory = bytearray(100_000_000)
while time.process_time() < {CPU}:
    pass
print("burnt", flush=True)
sys.stdin.readline()
"""
WRITTEN = 4 << 20  # bytes
WAITED = 200  # times
WRITE = f"""
import os, sys, time
with open(sys.argv[1], "wb") as file:
    file.write(bytes({WRITTEN}))
    os.fsync(file.fileno())
for _ in range({WAITED}):
    time.sleep(0.0001)
print("written", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a child that has done its work, of burning CPU time and holding 100 MB by default; it ends when told."""
    started: list[subprocess.Popen[bytes]] = []

    def start(script: str = BURN, *arguments: str | Path) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", script, *arguments]
        started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline()
        return started[-1]

    yield start
    for each in started:
        if not each.stdin.closed:
            each.communicate()
        each.stdout.close()


def test_cpu_time_of_the_process_is_that_between_begin_and_end(telemetry: Any) -> None:
    _burn(0.05)
    before = time.process_time()
    with waferscope.job("overlay"):
        _burn(CPU)
    most = time.process_time() - before  # whatever other threads did meanwhile
    assert CPU <= _cpu(_ended(telemetry)) <= most
    with waferscope.job("idle"):
        pass
    assert _cpu(_ended(telemetry)) < CPU / 2


def test_live_children_count_with_cpu_time_and_memory(telemetry: Any, child: Any, until: Any) -> None:
    with waferscope.job("overlay") as job:
        child()
        probe = job._running().runtime.probe
        until(lambda: probe.memory().children)
    said = _ended(telemetry)
    assert _cpu(said) >= CPU * 0.9
    assert said["wafer.job.memory.children"] > 100_000_000


def test_children_that_have_ended_count_with_cpu_time_only(telemetry: Any, child: Any, until: Any) -> None:
    with waferscope.job("overlay") as job:
        child().communicate()
        until(lambda: not job._running().runtime.probe.memory().children)
    said = _ended(telemetry)
    assert _cpu(said) >= CPU * 0.9
    assert "wafer.job.memory.children" not in said


def test_a_child_that_ends_between_two_looks_counts_once(telemetry: Any, child: Any, monkeypatch: Any) -> None:
    """It was seen alive a moment ago, and is in the account of ended children now."""
    del telemetry
    probe = usage.Process()
    before = _used(probe)
    started = child()
    monkeypatch.setattr(usage, "_FRESH", -1.0)
    seen = _used(probe)
    monkeypatch.setattr(usage, "_FRESH", 3600.0)
    assert seen - before >= CPU * 0.9
    started.communicate()
    after = _used(probe)
    assert seen - 0.05 <= after < seen + (seen - before) * 0.9


def test_live_children_count_with_storage_and_context_switches(
    telemetry: Any, child: Any, until: Any, tmp_path: Path
) -> None:
    with waferscope.job("overlay") as job:
        child(WRITE, tmp_path / "map")
        until(lambda: job._running().runtime.probe.memory().children)
    said = _ended(telemetry)
    _check_written(said["wafer.job.io.write"], tmp_path)
    assert WAITED <= said["wafer.job.context_switches.voluntary"] < WAITED * 1.5
    with waferscope.job("overlay"):  # what it did before is another job's
        pass
    said = _ended(telemetry)
    assert said["wafer.job.io.write"] == 0
    assert said["wafer.job.context_switches.voluntary"] < WAITED


def _check_written(told: int, where: Path) -> None:
    assert WRITTEN <= told < WRITTEN * 1.5 or (told == 0 and _is_in_memory(where))


def test_storage_and_context_switches_of_a_child_count_once_before_and_after_its_end(
    child: Any, until: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alive, ended but not waited for, waited for amid two looks: each time it is in one account only."""
    probe = usage.Process()
    before = probe.usage()
    monkeypatch.setattr(usage, "_FRESH", -1.0)
    started = child(WRITE, tmp_path / "map")
    seen = [probe.usage()]
    started.stdin.close()
    until(lambda: os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
    seen.append(probe.usage())
    monkeypatch.setattr(usage, "_FRESH", 3600.0)
    started.wait()
    seen.append(probe.usage())
    for used in seen:
        _check_written(used.written - before.written, tmp_path)
        assert WAITED <= used.voluntary - before.voluntary < WAITED * 1.5


def test_a_child_that_tells_no_storage_counts_with_the_rest(
    telemetry: Any, child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil  # noqa: PLC0415 - as the wrapper does, late

    def denied(*_: Any) -> Any:
        raise psutil.AccessDenied

    for name in ("io_counters", "num_ctx_switches"):
        monkeypatch.setattr(psutil.Process, name, denied)
    with waferscope.job("overlay"):
        child()
    said = _ended(telemetry)
    assert _cpu(said) >= CPU * 0.9
    assert said["wafer.job.memory.children"] > 100_000_000
    assert said["wafer.job.io.write"] == 0
    assert guard.USAGE.failures == 0


def test_children_of_children_and_of_other_threads_are_seen(telemetry: Any) -> None:
    del telemetry
    script = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {BURN!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print("ready", flush=True)
sys.stdin.readline()
child.communicate()
"""
    started: list[subprocess.Popen[bytes]] = []
    ready, done = threading.Event(), threading.Event()

    def start() -> None:
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as made:
            started.append(made)
            assert made.stdout is not None
            made.stdout.readline()
            ready.set()
            done.wait()
            made.communicate()

    thread = threading.Thread(target=start)
    thread.start()
    try:
        assert ready.wait(20)
        import psutil  # noqa: PLC0415 - as the wrapper does, late

        children = Children(psutil.Process())
        children.look()
        assert children.account.user + children.account.system >= CPU * 0.9
        assert children.account.memory > 100_000_000
    finally:
        done.set()
        thread.join()


def test_written_bytes_are_told(telemetry: Any, tmp_path: Path) -> None:
    size = 4 << 20
    with waferscope.job("overlay"), (tmp_path / "map").open("wb") as file:
        file.write(bytes(size))
        os.fsync(file.fileno())
    said = _ended(telemetry)
    assert said["wafer.job.io.read"] >= 0
    on_memory = said["wafer.job.io.write"] == 0 and _is_in_memory(tmp_path)
    assert on_memory or said["wafer.job.io.write"] >= size


def _is_in_memory(path: Path) -> bool:
    """Such file systems write to no storage, and some of containers don't account for it."""
    found = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True)
    return found.stdout.strip() in ("tmpfs", "ramfs", "overlayfs")


def test_context_switches_are_told(telemetry: Any) -> None:
    with waferscope.job("overlay"):
        for _ in range(20):
            subprocess.run(["true"], check=True)
    said = _ended(telemetry)
    assert said["wafer.job.context_switches.voluntary"] >= 20
    assert said["wafer.job.context_switches.involuntary"] >= 0


def test_a_peak_before_the_job_is_not_its_own(telemetry: Any) -> None:
    bytearray(300_000_000)  # written, and given back at once
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with waferscope.job("overlay"):
        pass
    assert _ended(telemetry)["wafer.job.memory.max"] < peak - 100_000_000


def test_the_peak_is_the_high_water_mark_where_it_rose_else_the_highest_sample() -> None:
    memory = Memory(own=50)
    rose = usage.between(Usage(peak=100), Usage(peak=120), memory, 70)
    level = usage.between(Usage(peak=100), Usage(peak=100), memory, 70)
    unseen = usage.between(Usage(peak=0), Usage(peak=0), memory, 10)
    assert (rose.peak, level.peak, unseen.peak) == (120, 70, 50)


def test_a_peak_between_heartbeats_is_sampled(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import time, waferscope
        bytearray(300_000_000)  # the high-water mark of the process: no peak of the job reaches it
        with waferscope.job("overlay") as job:
            block = bytearray(150_000_000)
            deadline = time.monotonic() + 20
            while job._run._peak < 150_000_000 and time.monotonic() < deadline:
                time.sleep(0.01)
            del block
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert (ended.code, ended.err) == (0, "")
    said = receiver.events()[-1][1]
    assert 150_000_000 <= said["wafer.job.memory.max"] < 300_000_000
    assert [name for name, _ in receiver.events()] == ["wafer.job.started", "wafer.job.ended"]


def test_pauses_of_the_garbage_collector_are_told_where_they_are_asked_for(telemetry: Any) -> None:
    with waferscope.job("overlay"):
        gc.collect()
    assert "wafer.job.gc.pause" not in _ended(telemetry)
    before = len(gc.callbacks)
    for _ in range(2):
        waferscope.configure(gc_pauses=True)
    assert len(gc.callbacks) == before + 1
    with waferscope.job("overlay") as job:
        gc.collect()
        job._running().beat()
    said = [attributes["wafer.job.gc.pause"] for _, attributes in telemetry.events()[-2:]]
    assert 0 < said[0] <= said[1] < 60
    gc.callbacks.pop()


NVML = """
import os
import resource
class NVMLError(Exception): pass
class Process:
    def __init__(self, pid, held):
        self.pid, self.usedGpuMemory = pid, held
held = 1000
opened = 0
def nvmlInit():
    global opened
    opened += 1
def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetComputeRunningProcesses(device):
    return [Process(os.getpid(), held if device == 0 else None), Process(1, 5_000)]
"""
NO_DRIVER = """
class NVMLError(Exception): pass
def nvmlInit(): raise NVMLError("driver not loaded")
"""


def _on_gpu(receiver: Any, run: Any, tmp_path: Path, module: str) -> list[dict[str, Any]]:
    (tmp_path / "pynvml.py").write_text(module)
    ended = run(
        """
        import os, pynvml, waferscope
        from waferscope._internal import gpu
        gpu._FRESH = -1.0
        with waferscope.job("overlay") as job:
            pynvml.held = 3000
            job._running().beat()
            pynvml.held = 2000
        if hasattr(pynvml, "opened"):
            assert pynvml.opened == 1
            pid = os.fork()
            if pid == 0:
                with waferscope.job("child"):
                    pass
                waferscope.flush(10)
                os._exit(0 if pynvml.opened == 2 else 1)
            assert os.waitpid(pid, 0)[1] == 0
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        PYTHONPATH=str(tmp_path),
    )
    assert (ended.code, ended.err) == (0, "")
    return [said for name, said in receiver.events() if name != "wafer.job.started"]


def test_memory_of_gpus_is_that_of_this_process(receiver: Any, run: Any, tmp_path: Path) -> None:
    said = _on_gpu(receiver, run, tmp_path, NVML)
    child, beat, ended = sorted(said, key=lambda one: (one["wafer.job.name"], one["wafer.job.sequence"]))
    held = ("wafer.job.gpu.memory.current", "wafer.job.gpu.memory.max")
    assert [[said[name] for name in held] for said in (beat, ended, child)] == [[3000] * 2, [2000, 3000], [2000] * 2]


def test_without_a_driver_no_memory_of_gpus_is_told(receiver: Any, run: Any, tmp_path: Path) -> None:
    for said in _on_gpu(receiver, run, tmp_path, NO_DRIVER):
        assert not [name for name in said if "gpu" in name]


def test_a_probe_that_fails_costs_its_values_only(telemetry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise OSError("no /proc")

    current = process.current()
    assert current is not None
    monkeypatch.setattr(usage, "getrusage", fail)
    with waferscope.job("overlay"):
        pass
    said = _ended(telemetry)
    assert (said["wafer.job.result"], said["wafer.job.cpu.user"]) == ("success", 0.0)
