"""The predecessor's job code, with only the import changed."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest

from waferscope.compat import AppRef, EntityRef, JobEvent, Monitored, SidecarEmitter, monitored_lambda_handler
from waferscope.testing import Telemetry, capture

APP = AppRef(app_id=UUID(int=7), name="overlay", version="1.2.0")

OLD_JOB = """
    import multiprocessing, sys
    from uuid import uuid4
    from waferscope.compat import AppRef, Monitored, SidecarEmitter

    APP = AppRef(app_id=uuid4(), name="overlay", version="1.2.0")

    def subjob(number, parent_id):
        with Monitored(site_id="fab1", app=APP, entity_type="subjob", business_key="LOT-4711", sub_key=f"W{number:02d}",
                       parent_id=parent_id, emitter=SidecarEmitter(base_url="http://localhost:17000")):
            return number

    if __name__ == "__main__":
        emitter = SidecarEmitter()
        with Monitored(site_id="fab1", app=APP, entity_type="job", business_key="LOT-4711", emitter=emitter,
                       metadata={"shift": "night", "limits": {"x": 3}}, enable_logging=True) as monitored:
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.starmap(subjob, [(n, monitored.entity_id) for n in range(3)]) == [0, 1, 2]
                pool.close()
                pool.join()
            monitored.tick({"phase": "fit"})
            assert monitored.mem_max_mb > 1
"""


@pytest.fixture
def telemetry() -> Any:
    with capture(site="fab1", service="overlay") as found:
        yield found


def test_unchanged_job_code_is_seen_with_its_subjobs(receiver: Any, run: Any) -> None:
    ended = run(OLD_JOB, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    said = receiver.events()
    jobs = [
        attributes for name, attributes in said if name == "wafer.job.ended" and "wafer.job.sub_key" not in attributes
    ]
    subjobs = [
        attributes for name, attributes in said if name == "wafer.job.ended" and "wafer.job.sub_key" in attributes
    ]
    assert len(jobs) == 1
    assert sorted(item["wafer.job.sub_key"] for item in subjobs) == ["W00", "W01", "W02"]
    assert {item["wafer.job.parent.id"] for item in subjobs} == {jobs[0]["wafer.job.id"]}
    assert {item["wafer.job.key"] for item in (*jobs, *subjobs)} == {"LOT-4711"}
    assert (
        jobs[0].items() >= {"wafer.job.name": "overlay", "shift": "night", "phase": "fit", "limits": '{"x": 3}'}.items()
    )
    assert not {"wafer.lot.id"} & jobs[0].keys()
    for path in ("/v1/logs", "/v1/traces", "/v1/metrics"):
        for resource in receiver.resources(path):
            found = {key: resource[key] for key in ("wafer.site.id", "service.name", "service.version")}
            assert found == {"wafer.site.id": "fab1", "service.name": "overlay", "service.version": "1.2.0"}


def test_each_application_of_a_process_is_told_as_its_own(receiver: Any, run: Any) -> None:
    script = """
        from uuid import uuid4
        from waferscope.compat import AppRef, Monitored
        for name in ("overlay", "cd-sem"):
            with Monitored("fab1", AppRef(uuid4(), name, "1"), "job"):
                pass
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.err) == (0, "")
    assert {item["service.name"] for item in receiver.resources("/v1/logs")} == {"overlay", "cd-sem"}
    assert [name for name, _ in receiver.events()].count("wafer.job.ended") == 2


def test_a_failure_passes_and_is_told(telemetry: Telemetry) -> None:
    with pytest.raises(ValueError, match="bad wafer"), Monitored("fab1", APP, "job"):
        raise ValueError("bad wafer")
    job = telemetry.job("overlay")
    assert (job.result, job.error_type, job.reason) == ("failure", "ValueError", "bad wafer")


def test_tick_is_a_heartbeat(telemetry: Telemetry) -> None:
    with Monitored("fab1", APP, "job") as monitored:
        telemetry.clock.advance(3)
        monitored.tick({"wafer": 7})
    names = [event.name for event in telemetry.job("overlay").events]
    assert names == ["wafer.job.started", "wafer.job.heartbeat", "wafer.job.ended"]
    assert telemetry.events[1].attributes["wafer"] == 7


def test_as_a_decorator_each_call_is_an_attempt_at_the_same_job(telemetry: Telemetry) -> None:
    @Monitored("fab1", APP, "job")
    def work() -> int:
        return 42

    assert [work(), work()] == [42, 42]
    assert [(job.id, job.attempt) for job in telemetry.jobs] == [(telemetry.jobs[0].id, 1), (telemetry.jobs[0].id, 2)]


class _Kept:
    def __init__(self) -> None:
        self.events: list[JobEvent] = []

    def send(self, event: JobEvent) -> None:
        self.events.append(event)


def test_an_emitter_of_the_authors_own_gets_the_predecessors_events(telemetry: Telemetry) -> None:
    kept = _Kept()
    with Monitored("fab1", APP, "job", business_key="LOT-4711", emitter=kept) as monitored:
        telemetry.clock.advance(12.5)
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        monitored.tick()
    metrics = [item.event.metrics for item in kept.events]
    assert [set(item) for item in metrics] == [
        {"cpu_user_s", "cpu_system_s", "mem_max_mb"},
        {"mem_max_mb"},
        {"cpu_user_s", "cpu_system_s", "mem_max_mb", "duration_s"},
    ]
    assert metrics[0]["cpu_user_s"] == metrics[0]["cpu_system_s"] == 0.0
    assert metrics[2]["duration_s"] == 12.5
    assert metrics[2]["cpu_user_s"] + metrics[2]["cpu_system_s"] > 0.01
    assert [(item.event.kind, item.event.status) for item in kept.events] == [
        ("started", "running"),
        ("progress", "running"),
        ("finished", "succeeded"),
    ]
    body = kept.events[0].to_json()
    assert body["entity"] == {
        "type": "job",
        "id": str(monitored.entity_id),
        "parent_id": None,
        "business_key": "LOT-4711",
        "sub_key": None,
    }
    assert body["app"] == {"app_id": str(APP.app_id), "name": "overlay", "version": "1.2.0"}
    assert datetime.fromisoformat(body["event"]["at"]).tzinfo is not None
    assert telemetry.job("overlay").result == "success"


def test_a_broken_emitter_hurts_nobody(telemetry: Telemetry) -> None:
    with Monitored("fab1", APP, "job", emitter=object()):
        pass
    assert telemetry.job("overlay").result == "success"


@pytest.mark.parametrize(
    ("kind", "status", "result"),
    [
        ("finished", "succeeded", "success"),
        ("finished", "failed", "failure"),
        ("error", "failed", "failure"),
        ("canceled", "canceled", "cancellation"),
    ],
)
def test_events_sent_by_hand_make_a_job(telemetry: Telemetry, kind: str, status: str, result: str) -> None:
    entity = EntityRef("job", uuid4(), None, "LOT-4711", None)
    metrics = {"duration_s": 12.5, "cpu_user_s": 1.0, "mem_max_mb": 93.0}
    with SidecarEmitter() as emitter:
        emitter.send(JobEvent.now("started", "fab1", APP, entity, "running"))
        emitter.send_batch([JobEvent.now("progress", "fab1", APP, entity, "running")])
        emitter.send(JobEvent.now(kind, "fab1", APP, entity, status, metrics=metrics, metadata={"error": "x"}))
    job = telemetry.job("overlay")
    assert (job.id, job.result) == (str(entity.id), result)
    assert [event.attributes["wafer.job.sequence"] for event in job.events] == [0, 1, 2]
    assert (
        job.attributes.items()
        >= {
            "wafer.job.elapsed": 12.5,
            "wafer.job.memory.max": 93 * 2**20,
            "wafer.job.cpu.user": 1.0,
            "wafer.job.key": "LOT-4711",
            "wafer.app.id": str(APP.app_id),
        }.items()
    )
    assert abs(job.events[0].time / 1e9 - datetime.now(timezone.utc).timestamp()) < 60


def test_lines_at_beginning_and_end_where_wanted(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "waferscope.compat"):
        with Monitored("fab1", APP, "job", enable_logging=False):
            pass
        assert caplog.messages == []
        with Monitored("fab1", APP, "job") as monitored:
            pass
    assert caplog.messages == [
        f"job {monitored.entity_id} started of overlay: running",
        f"job {monitored.entity_id} finished of overlay: succeeded",
    ]
    assert len(telemetry.jobs) == 2


def test_a_lambda_handler_is_a_job(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "overlay-fn")

    @monitored_lambda_handler("fab1", APP)
    def handler(event: dict[str, int], _: object) -> int:
        return event["n"]

    assert handler({"n": 3}, object()) == 3
    assert telemetry.job("overlay").attributes["wafer.job.key"] == "overlay-fn"
