"""The context goes along: into threads, pools, other processes, and over HTTP."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.request import Request, urlopen

import pytest
from opentelemetry import baggage, propagate
from opentelemetry.context import attach, detach
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import waferscope

END = "wafer.job.ended"


def _work(wafer: int) -> int:
    with waferscope.step("fit"):
        pass
    with waferscope.job("wafer"):
        return wafer * 2


def _in_thread(function: Callable[[int], int]) -> int:
    result: list[int] = []
    thread = threading.Thread(target=lambda: result.append(function(2)))
    thread.start()
    thread.join()
    return result[0]


def _in_pool(function: Callable[[int], int]) -> int:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function, 2).result()


@pytest.mark.parametrize("run_there", [_in_thread, _in_pool])
def test_a_carried_function_runs_in_its_job_in_another_thread(telemetry: Any, run_there: Any) -> None:
    with waferscope.job("lot", lot="L", equipment="OVL-02") as lot:
        carried = waferscope.carry(_work)
        with waferscope.step("other"):
            assert run_there(carried) == 4
    fit, wafer, _, whole = telemetry.spans()
    assert (fit.attributes["wafer.job.id"], wafer.attributes["wafer.job.parent.id"]) == (lot.id, lot.id)
    assert fit.parent.span_id == wafer.parent.span_id == whole.context.span_id
    assert (wafer.attributes["wafer.lot.id"], wafer.attributes["wafer.equipment.id"]) == ("L", "OVL-02")


@pytest.mark.usefixtures("telemetry")
def test_a_carried_function_leaves_the_thread_in_its_own_context() -> None:
    with waferscope.job("lot"):
        carried = waferscope.carry(waferscope.current_job)
    with waferscope.job("other") as other:
        assert carried().name == "lot"
        assert waferscope.current_job() is other
    with pytest.raises(ZeroDivisionError):
        waferscope.carry(lambda: 1 / 0)()


@pytest.mark.usefixtures("telemetry")
def test_a_carried_function_looks_like_the_function() -> None:
    carried = waferscope.carry(_work)
    assert (carried.__name__, carried.__wrapped__) == ("_work", _work)  # type: ignore[attr-defined]


async def test_a_carried_coroutine_function_runs_in_its_job_in_another_task(telemetry: Any) -> None:
    async def fit() -> str:
        await asyncio.sleep(0)
        async with waferscope.step("fit"):
            return waferscope.current_job().name

    with waferscope.job("lot") as lot:
        carried = waferscope.carry(fit)
        assert inspect.iscoroutinefunction(carried)
    with waferscope.job("other"):
        assert await asyncio.create_task(carried()) == "lot"
        assert waferscope.current_job().name == "other"
    assert {span.name: span for span in telemetry.spans()}["fit"].attributes["wafer.job.id"] == lot.id


async def test_threads_of_asyncio_need_no_carrying(telemetry: Any) -> None:
    with waferscope.job("lot") as lot:
        assert await asyncio.to_thread(_work, 2) == 4
    assert telemetry.spans()[0].attributes["wafer.job.id"] == lot.id


WORKER = """
import waferscope
def work(wafer):
    with waferscope.current_job().step("fit"):
        pass
    with waferscope.job("wafer"):
        return wafer * 2
"""
POOLS = {
    "executor": """
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            results = list(pool.map(waferscope.carry(worker_module.work), range(4)))""",
    "pool": """
        with context.Pool(2) as pool:
            results = pool.map(waferscope.carry(worker_module.work), range(4))
            pool.close()
            pool.join()""",
    "process": """
        processes = [context.Process(target=waferscope.carry(worker_module.work), args=(wafer,)) for wafer in range(4)]
        for process in processes: process.start()
        for process in processes: process.join()
        results = [0, 2, 4, 6] if not any(process.exitcode for process in processes) else None""",
}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("pool", POOLS)
def test_workers_in_other_processes_are_in_the_job(
    receiver: Any, run: Any, tmp_path: Any, pool: str, method: str
) -> None:
    (tmp_path / "worker_module.py").write_text(WORKER)
    script = f"""
if __name__ == "__main__":
    import multiprocessing, concurrent.futures, waferscope, worker_module
    context = multiprocessing.get_context("{method}")
    with waferscope.job("lot", lot="L", equipment="OVL-02", slot=3):
        {POOLS[pool].strip()}
    assert results == [0, 2, 4, 6], results
"""
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, PYTHONPATH=str(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    spans = receiver.spans()
    (lot,) = [span for span in spans if span.name == "lot"]
    others = [span for span in spans if span.name != "lot"]
    assert sorted(span.name for span in others) == ["fit"] * 4 + ["wafer"] * 4
    assert {(span.trace_id, span.parent_span_id) for span in others} == {(lot.trace_id, lot.span_id)}
    ends = [said for name, said in receiver.events() if name == END]
    (parent,) = [said for said in ends if said["wafer.job.name"] == "lot"]
    wafers = [said for said in ends if said["wafer.job.name"] == "wafer"]
    assert len(wafers) == len({said["wafer.job.id"] for said in wafers}) == 4
    for said in wafers:
        assert said["wafer.job.parent.id"] == parent["wafer.job.id"]
        assert (said["wafer.lot.id"], said["wafer.equipment.id"]) == ("L", "OVL-02")
    assert sum(point.count for point in receiver.points("wafer.step.duration")) == 4


SUBPROCESS = """
    import subprocess, sys, waferscope
    child = "import waferscope\\nwith waferscope.job('child'): print(waferscope.current_job().name)"
    with waferscope.job("parent", lot="L ß,=;", equipment="OVL-02"):
        subprocess.run([sys.executable, "-c", child], env=waferscope.environment(), check=True)
    subprocess.run([sys.executable, "-c", child], env=waferscope.environment(), check=True)
"""


def test_a_job_of_a_subprocess_is_a_subjob_in_the_same_trace(receiver: Any, run: Any) -> None:
    ended = run(SUBPROCESS, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, "child\nchild\n", "")
    spans = receiver.spans()
    (parent,) = [span for span in spans if span.name == "parent"]
    assert sorted(span.parent_span_id for span in spans if span.name == "child") == [b"", parent.span_id]
    assert [span.trace_id == parent.trace_id for span in spans].count(True) == 2
    ends = [said for name, said in receiver.events() if name == END]
    (whole,) = [said for said in ends if said["wafer.job.name"] == "parent"]
    within, alone = sorted((said for said in ends if said["wafer.job.name"] == "child"), key=len, reverse=True)
    assert within["wafer.job.parent.id"] == whole["wafer.job.id"]
    assert (within["wafer.lot.id"], within["wafer.equipment.id"]) == ("L ß,=;", "OVL-02")
    assert "wafer.lot.id" not in alone


def test_what_the_process_was_started_with_stands_in_for_a_job_around(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import waferscope
        with waferscope.job("overlay"):
            pass
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        TRACEPARENT="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        BAGGAGE="wafer.job.id=J-1,wafer.lot.id=" + "x" * 2000,
    )
    assert (ended.code, ended.err) == (0, "")
    (span,) = receiver.spans()
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    said = receiver.events()[-1][1]
    assert said["wafer.job.parent.id"] == "J-1"
    assert said["wafer.lot.id"] == "x" * 512  # as long as the site can take


def test_the_environment_holds_one_trace_and_leaves_ours_alone(telemetry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACESTATE", "vendor=of-another-trace")
    monkeypatch.setenv("OTHER", "kept")
    outside = waferscope.environment()
    with waferscope.job("overlay", lot="L") as job:
        within = waferscope.environment()
    assert outside == dict(os.environ)
    assert (within["TRACEPARENT"], within["OTHER"]) == (job.traceparent, "kept")
    assert within["BAGGAGE"].split(",") == ["wafer.lot.id=L", f"wafer.job.id={job.id}"]
    assert "TRACESTATE" not in within
    assert telemetry.spans()


class Fieldless(TraceContextTextMapPropagator):
    """A propagator of the host's that is broken."""

    @property
    def fields(self) -> set[str]:
        raise RuntimeError("not implemented")


@pytest.mark.usefixtures("telemetry")
def test_a_broken_propagator_leaves_the_environment_as_it_is() -> None:
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(Fieldless())
    try:
        with waferscope.job("overlay"):
            assert waferscope.environment() == dict(os.environ)
    finally:
        propagate.set_global_textmap(before)


@pytest.fixture
def service() -> Iterator[str]:
    """A service over HTTP that does a job for each request, in the caller's context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = attach(propagate.extract(self.headers))
            with waferscope.job("served"):
                pass
            detach(token)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_job_behind_http_is_a_subjob_in_the_same_trace(telemetry: Any, service: str) -> None:
    with waferscope.job("asking", lot="L", equipment="OVL-02") as asking, waferscope.step("ask"):
        headers: dict[str, str] = {}
        propagate.inject(headers)
        with urlopen(Request(service, headers=headers), timeout=10) as response:
            assert response.status == 204
    served, ask, whole = telemetry.spans()
    assert served.parent.span_id == ask.context.span_id
    assert served.context.trace_id == whole.context.trace_id
    assert (
        served.attributes.items()
        >= {"wafer.job.parent.id": asking.id, "wafer.lot.id": "L", "wafer.equipment.id": "OVL-02"}.items()
    )


def test_lot_and_equipment_go_along_to_subjobs_that_name_no_other(telemetry: Any) -> None:
    attach(baggage.set_baggage("team", "litho"))
    with waferscope.job("lot", lot="L", equipment="OVL-02", recipe="M1") as lot:
        assert dict(baggage.get_all()) == {
            "team": "litho",
            "wafer.lot.id": "L",
            "wafer.equipment.id": "OVL-02",
            "wafer.job.id": lot.id,
        }
        with waferscope.job("inherits"), waferscope.job("deeper"):
            pass
        with waferscope.job("names its own", lot="L2"):
            assert baggage.get_baggage("wafer.lot.id") == "L2"
    assert dict(baggage.get_all()) == {"team": "litho"}
    metrics = telemetry.metrics()["wafer.job.duration"]
    said = {span.name: span.attributes for span in telemetry.spans()}
    for name, lot_id in {"inherits": "L", "deeper": "L", "names its own": "L2"}.items():
        assert (said[name]["wafer.lot.id"], said[name]["wafer.equipment.id"]) == (lot_id, "OVL-02")
        assert "wafer.recipe.id" not in said[name]
    assert {dict(attributes)["wafer.equipment.id"] for attributes in metrics} == {"OVL-02"}
