"""Forks, signals and exits of real processes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

END = "wafer.job.ended"


def _names(receiver: Any) -> Counter[tuple[str, str]]:
    return Counter((name, said["wafer.job.name"]) for name, said in receiver.events())


def test_a_forked_child_says_what_is_its_own_and_nothing_of_its_parent(receiver: Any, run: Any) -> None:
    script = """
        import os, waferscope
        with waferscope.job("parent") as parent:
            with parent.step("before"):
                pass
            pid = os.fork()
            if pid == 0:
                with parent.step("in-child"):
                    pass
                with waferscope.job("child"):
                    pass
                assert waferscope.flush(10)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.err) == (0, "")
    assert _names(receiver) == {
        ("wafer.job.started", "parent"): 1,
        (END, "parent"): 1,
        ("wafer.job.started", "child"): 1,
        (END, "child"): 1,
    }
    assert Counter(span.name for span in receiver.spans()) == {"before": 1, "in-child": 1, "child": 1, "parent": 1}
    said = {dict_["wafer.job.name"]: dict_ for _, dict_ in receiver.events()}
    assert said["child"]["wafer.job.parent.id"] == said["parent"]["wafer.job.id"]
    assert sum(point.count for point in receiver.points("wafer.job.duration")) == 2


def test_a_child_that_leaves_the_parents_block_does_not_end_the_parents_job(receiver: Any, run: Any) -> None:
    script = """
        import os, sys, waferscope
        with waferscope.job("parent") as parent, parent.step("both"):
            pid = os.fork()
            if pid == 0:
                sys.exit(0)
            os.waitpid(pid, 0)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.err) == (0, "")
    assert _names(receiver) == {("wafer.job.started", "parent"): 1, (END, "parent"): 1}
    assert Counter(span.name for span in receiver.spans()) == {"both": 1, "parent": 1}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_multiprocessing_deliver_before_they_exit(
    receiver: Any, run: Any, tmp_path: Any, method: str
) -> None:
    module = tmp_path / "worker_module.py"
    module.write_text(
        "import waferscope\n"
        "def work(number):\n"
        "    with waferscope.job('wafer') as job, job.step('fit'):\n"
        "        return number\n"
    )
    script = f"""
        import multiprocessing, concurrent.futures, sys
        import waferscope, worker_module
        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            with waferscope.job("lot"):
                with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                    assert list(pool.map(worker_module.work, range(6))) == list(range(6))
                process = context.Process(target=worker_module.work, args=(6,))
                process.start()
                process.join()
                assert process.exitcode == 0
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, PYTHONPATH=str(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    assert _names(receiver)[END, "wafer"] == 7
    assert _names(receiver)[END, "lot"] == 1
    assert Counter(span.name for span in receiver.spans()) == {"fit": 7, "wafer": 7, "lot": 1}
    assert sum(point.count for point in receiver.points("wafer.step.duration")) == 7


def test_forking_amid_busy_threads_neither_deadlocks_nor_repeats(receiver: Any, run: Any) -> None:
    script = """
        import faulthandler, os, threading, waferscope
        stop = threading.Event()
        def busy():
            with waferscope.job("busy") as job:
                while not stop.is_set():
                    with job.step("spin"):
                        pass
                    stop.wait(0.001)
        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                pid = os.fork()
                if pid == 0:
                    faulthandler.dump_traceback_later(15)  # tells where it hangs, should it ever
                    with waferscope.job("child"):
                        pass
                    os._exit(0 if waferscope.flush(20) else 1)
                assert os.waitpid(pid, 0)[1] == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    """
    ended = run(
        script,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        WAFERSCOPE_HEARTBEAT_INTERVAL="0.01",
        OTEL_METRIC_EXPORT_INTERVAL="10",
        OTEL_BLRP_SCHEDULE_DELAY="5",
        OTEL_BSP_SCHEDULE_DELAY="5",
    )
    assert (ended.code, ended.err) == (0, "")
    names = _names(receiver)
    assert (names[END, "child"], names[END, "busy"]) == (20, 3)
    ids = Counter(bytes(span.span_id) for span in receiver.spans())
    assert set(ids.values()) == {1}
    durations = receiver.points("wafer.job.duration")
    assert sum(point.count for point in durations) == 23


@pytest.mark.parametrize("status", [200, 400, 503])
def test_a_job_imports_nothing_once_the_pipeline_is_made(receiver: Any, run: Any, status: int) -> None:
    """A fork amid an import leaves the module locked in the child: who imports it there waits for ever."""
    receiver.status = status
    script = """
        import sys, waferscope
        waferscope.configure()
        before = set(sys.modules)
        with waferscope.job("overlay") as job, job.step("fit"):
            while job._run._sequence < 2:
                pass
        waferscope.flush(0.5)
        print(sorted(set(sys.modules) - before))
    """
    ended = run(
        script,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        WAFERSCOPE_HEARTBEAT_INTERVAL="0.01",
        WAFERSCOPE_FLUSH_TIMEOUT="0.1",
    )
    assert (ended.code, ended.out.strip()) == (0, "[]")


def test_a_child_takes_no_lock_of_the_parents_exporters(receiver: Any, run: Any) -> None:
    script = """
        import os, threading, waferscope
        from waferscope._internal import process
        with waferscope.job("parent"):
            pass
        assert waferscope.flush(10)
        held = threading.Event()
        def hold():
            for channel in process.current()._channels:
                channel._lock.acquire()
                channel._route.exporter._client._transport._session.cookies._cookies_lock.acquire()
                channel._route.exporter._client._shutdown_event._cond.acquire()
            held.set()
            release.wait()
        release = threading.Event()
        threading.Thread(target=hold, daemon=True).start()
        held.wait()
        pid = os.fork()
        if pid == 0:
            with waferscope.job("child"):
                pass
            os._exit(0 if waferscope.flush(10) else 1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.err) == (0, "")
    assert _names(receiver)[END, "child"] == 1


def test_the_child_is_heard_by_its_own_heartbeats_only(receiver: Any, run: Any) -> None:
    script = """
        import os, time, waferscope
        with waferscope.job("parent"):
            pid = os.fork()
            if pid == 0:
                with waferscope.job("child") as child:
                    deadline = time.monotonic() + 10
                    while child._run._sequence < 3 and time.monotonic() < deadline:
                        time.sleep(0.01)
                waferscope.flush(10)
                os._exit(0)
            os.waitpid(pid, 0)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, WAFERSCOPE_HEARTBEAT_INTERVAL="0.05")
    assert ended.code == 0
    sequences = Counter((said["wafer.job.name"], said["wafer.job.sequence"]) for _, said in receiver.events())
    assert set(sequences.values()) == {1}
    assert sequences["child", 2] == 1


def test_a_job_left_open_is_cancelled_at_exit(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import waferscope
        job = waferscope.job("notebook")
        job.__enter__()
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert ended.code == 0
    assert [said.get("wafer.job.result") for _, said in receiver.events()] == [None, "cancellation"]


def test_a_killed_job_has_started_and_not_ended(receiver: Any, start: Any, until: Any) -> None:
    process = start(
        """
        import time, waferscope
        with waferscope.job("overlay"):
            time.sleep(60)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        WAFERSCOPE_HEARTBEAT_INTERVAL="0.1",
    )
    until(lambda: any(name == "wafer.job.heartbeat" for name, _ in receiver.events()))
    process.kill()
    process.wait(10)
    assert not [name for name, _ in receiver.events() if name == END]


def test_a_configured_sdk_is_reused_except_for_metrics(receiver: Any, run: Any) -> None:
    script = """
        from opentelemetry import trace, _logs
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        spans = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource.create({"service.name": "host", "process.pid": 1}))
        provider.add_span_processor(SimpleSpanProcessor(spans))
        trace.set_tracer_provider(provider)
        import waferscope
        waferscope.configure(service="ignored")
        with waferscope.job("overlay"):
            pass
        print([span.name for span in spans.get_finished_spans()])
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out.strip(), ended.err) == (0, "['overlay']", "")
    assert receiver.spans() == []
    assert len(receiver.events()) == 2
    (resource,) = receiver.resources("/v1/metrics")
    assert resource["service.name"] == "host"
    assert not {"process.pid", "service.instance.id"} & resource.keys()


def test_a_disabled_wrapper_starts_nothing_and_sends_nothing(receiver: Any, run: Any) -> None:
    script = """
        import sys, threading, waferscope
        with waferscope.job("overlay") as job:
            assert waferscope.current_job() is job
            with waferscope.current_job().step("fit"):
                pass
        print(threading.active_count(), "opentelemetry.sdk" in sys.modules)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_SDK_DISABLED="true")
    assert (ended.code, ended.out.strip(), ended.err) == (0, "1 False", "")
    assert receiver.bodies == []


@pytest.mark.parametrize(("strict", "out"), [("false", ""), ("true", "UsageError")])
def test_a_disabled_wrapper_looks_at_the_attributes_of_steps_only_where_strictness_is_asked_for(
    run: Any, strict: str, out: str
) -> None:
    script = """
        import waferscope
        with waferscope.job("overlay") as job:
            try:
                with job.step("fit", parts=object()):
                    pass
            except ValueError as error:
                print(type(error).__name__)
    """
    ended = run(script, OTEL_SDK_DISABLED="true", WAFERSCOPE_STRICT=strict)
    assert (ended.code, ended.out.strip(), ended.err) == (0, out, "")


def test_importing_the_wrapper_imports_no_sdk(run: Any) -> None:
    ended = run("import sys, waferscope; print(sorted({'requests', 'psutil', 'opentelemetry.sdk'} & set(sys.modules)))")
    assert ended.out.strip() == "[]"


def test_a_second_configure_leaves_one_heartbeat_thread_and_the_first_job_its_end(receiver: Any, run: Any) -> None:
    script = """
        import threading, time, waferscope
        waferscope.configure(service="first")
        with waferscope.job("first"):
            waferscope.configure(service="second")
            with waferscope.job("second"):
                pass
        waferscope.configure(service="third")
        with waferscope.job("third"):
            pass
        deadline = time.monotonic() + 10
        def beating():
            return [thread.name for thread in threading.enumerate()].count("waferscope-heartbeat")
        while beating() > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        print(beating())
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out.strip(), ended.err) == (0, "1", "")
    assert Counter(said["wafer.job.name"] for name, said in receiver.events() if name == END) == {
        "first": 1,
        "second": 1,
        "third": 1,
    }
