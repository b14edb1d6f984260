"""What arrives over OTLP from real processes, and when."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from waferscope import semconv

JOB = """
    import waferscope
    with waferscope.job("overlay", lot="L") as job:
        with job.step("fit"):
            pass
"""


def test_without_configure_the_environment_decides(receiver: Any, run: Any) -> None:
    ended = run(
        JOB,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_SERVICE_NAME="overlay-metrology",
        OTEL_RESOURCE_ATTRIBUTES="service.version=1.2.0,team=litho",
        WAFERSCOPE_SITE="fab1",
    )
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert [name for name, _ in receiver.events()] == ["wafer.job.started", "wafer.job.ended"]
    assert sorted(span.name for span in receiver.spans()) == ["fit", "overlay"]
    expected = {
        "service.name": "overlay-metrology",
        "service.version": "1.2.0",
        "host.name": socket.gethostname(),
        "wafer.site.id": "fab1",
        "team": "litho",
    }
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
        for resource in receiver.resources(path):
            assert resource.items() >= expected.items()
            assert resource["telemetry.sdk.language"] == "python"


def test_arguments_win_over_the_environment(receiver: Any, run: Any) -> None:
    ended = run(
        "import waferscope\n"
        f"waferscope.configure(site='fab2', service='mine', version='2', endpoint='{receiver.url}/')\n"
        "with waferscope.job('overlay'): pass\n",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_SERVICE_NAME="other",
        OTEL_RESOURCE_ATTRIBUTES="host.name=tool-7,service.version=1",
        WAFERSCOPE_SITE="fab1",
    )
    assert ended.code == 0
    (resource,) = receiver.resources("/v1/metrics")
    assert (
        resource.items()
        >= {
            "service.name": "mine",
            "service.version": "2",
            "wafer.site.id": "fab2",
            "host.name": "tool-7",
        }.items()
    )


def test_metrics_are_deltas_of_no_single_process(receiver: Any, start: Any) -> None:
    processes = [start(JOB, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    points = receiver.points("wafer.job.duration")
    assert sum(point.count for point in points) == len(points) == 3
    assert all(0 < point.start_time_unix_nano < point.time_unix_nano for point in points)
    for message in receiver.messages("/v1/metrics"):
        for metric in message.resource_metrics[0].scope_metrics[0].metrics:
            data = metric.histogram if metric.HasField("histogram") else metric.sum
            assert data.aggregation_temporality == 1  # AGGREGATION_TEMPORALITY_DELTA
    resources = receiver.resources("/v1/metrics")
    assert resources[0] == resources[1] == resources[2]
    assert not [key for key in resources[0] if key == "service.instance.id" or key.startswith("process.")]


def test_the_scope_names_wrapper_version_and_schema(receiver: Any, run: Any) -> None:
    assert run(JOB, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url).code == 0
    spans = receiver.messages("/v1/traces")[0].resource_spans[0].scope_spans[0]
    logs = receiver.messages("/v1/logs")[0].resource_logs[0].scope_logs[0]
    metrics = receiver.messages("/v1/metrics")[0].resource_metrics[0].scope_metrics[0]
    for item in (spans, logs, metrics):
        assert (item.scope.name, item.schema_url) == ("waferscope", semconv.SCHEMA_URL)
        assert item.scope.version


def test_heartbeats_come_while_the_job_runs(receiver: Any, run: Any) -> None:
    script = """
        import threading, time, waferscope
        with waferscope.job("overlay") as job, waferscope.job("inner"):
            job.progress(1, 4)
            deadline = time.monotonic() + 10
            while job._run._sequence < 4 and time.monotonic() < deadline:
                time.sleep(0.01)
            names = [thread.name for thread in threading.enumerate()]
        print(names.count("waferscope-heartbeat"))
    """
    ended = run(
        script,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        WAFERSCOPE_HEARTBEAT_INTERVAL="0.1",
        OTEL_BLRP_SCHEDULE_DELAY="5",
    )
    assert (ended.code, ended.out.strip()) == (0, "1")
    beats = [said for name, said in receiver.events() if name == "wafer.job.heartbeat"]
    outer = [said for said in beats if said["wafer.job.name"] == "overlay"]
    assert [said["wafer.job.sequence"] for said in outer[:3]] == [1, 2, 3]
    assert outer[0]["wafer.job.heartbeat.interval"] == pytest.approx(0.1)
    assert outer[0]["wafer.job.progress.total"] == 4
    elapsed = [said["wafer.job.elapsed"] for said in outer]
    assert elapsed == sorted(elapsed)
    assert {said["wafer.job.name"] for said in beats} == {"overlay", "inner"}


def test_what_could_not_be_delivered_is_kept_and_sent_when_the_receiver_is_back(receiver: Any, start: Any) -> None:
    receiver.status = 503
    process = start(
        """
        import waferscope
        with waferscope.job("overlay"):
            pass
        print("flushed", waferscope.flush(0.5), flush=True)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert process.stdout.readline() == "flushed False\n"
    receiver.status = 200
    assert process.wait(30) == 0
    assert [name for name, _ in receiver.events()] == ["wafer.job.started", "wafer.job.ended"]
    assert sum(point.count for point in receiver.points("wafer.job.duration")) == 1
    assert len(receiver.spans()) == 1


def test_what_is_refused_for_good_is_dropped_and_told_once(receiver: Any, run: Any) -> None:
    receiver.status = 400
    ended = run(
        """
        import waferscope
        for _ in range(3):
            with waferscope.job("overlay"):
                pass
            waferscope.flush()
        from waferscope._internal import guard
        print(guard.EXPORT.failures)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert (ended.code, int(ended.out)) == (0, 9)
    assert ended.err.count("dropped") == len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("ending", ["pass", "raise SystemExit(7)", "raise ValueError('bad wafer')"])
@pytest.mark.parametrize("endpoint", ["black_hole", "closed_port"])
def test_an_unreachable_endpoint_neither_holds_nor_changes_the_exit(
    endpoint: str, ending: str, run: Any, request: pytest.FixtureRequest
) -> None:
    script = f"""
        import waferscope
        with waferscope.job("overlay"):
            {ending}
    """
    url = request.getfixturevalue(endpoint)
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=url, WAFERSCOPE_FLUSH_TIMEOUT="0.3")
    assert ended.code == {"pass": 0, "raise SystemExit(7)": 7}.get(ending, 1)
    assert ("ValueError: bad wafer" in ended.err) is (ended.code == 1)
    assert ended.seconds < 15


def test_a_flood_of_log_lines_costs_no_event_of_a_job(receiver: Any, run: Any) -> None:
    script = """
        import logging, waferscope
        waferscope.configure(export_logs="INFO")
        logging.getLogger().setLevel(logging.INFO)
        logging.getLogger().addHandler(logging.NullHandler())
        for number in range(20):
            with waferscope.job("overlay"):
                for line in range(100):
                    logging.info("line %d", line)
        waferscope.flush(20)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BLRP_MAX_QUEUE_SIZE="50")
    assert (ended.code, ended.err) == (0, "")
    names = [name for name, _ in receiver.events()]
    assert (names.count("wafer.job.started"), names.count("wafer.job.ended")) == (20, 20)
    dropped = receiver.points("wafer.telemetry.dropped")
    assert sum(point.as_int for point in dropped) == 2000 - names.count("")
