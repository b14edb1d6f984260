"""On AWS: the platform in the resource, and telemetry that leaves before a function is frozen."""

from __future__ import annotations

import json
from typing import Any

LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "overlay-fit",
    "AWS_LAMBDA_FUNCTION_VERSION": "7",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[7]abc",
    "AWS_REGION": "eu-central-1",
}

HANDLER = """
    import os, waferscope

    @waferscope.job("overlay-fit", lot=lambda event, context: event["lot"])
    def handler(event, context):
        with waferscope.job("inner"):
            pass
        return {"ok": True}

    print(handler({"lot": "LOT-4711"}, None), flush=True)
    os.kill(os.getpid(), 9)  # frozen for good: what has not left by now never does
"""


def test_a_handler_flushes_before_it_returns(receiver: Any, run: Any) -> None:
    ended = run(HANDLER, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **LAMBDA)
    assert (ended.code, ended.out) == (-9, "{'ok': True}\n")
    said = [(name, attributes["wafer.job.name"]) for name, attributes in receiver.events()]
    assert sorted(said) == [
        ("wafer.job.ended", "inner"),
        ("wafer.job.ended", "overlay-fit"),
        ("wafer.job.started", "inner"),
        ("wafer.job.started", "overlay-fit"),
    ]
    assert {span.name for span in receiver.spans()} == {"inner", "overlay-fit"}
    assert sum(point.count for point in receiver.points("wafer.job.duration")) == 2
    assert receiver.events()[0][1]["wafer.lot.id"] == "LOT-4711"


def test_the_function_is_in_the_resource_and_its_instance_not_on_metrics(receiver: Any, run: Any) -> None:
    run(HANDLER, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **LAMBDA)
    (events,) = receiver.resources("/v1/logs")[:1]
    assert (
        events.items() >= {"faas.name": "overlay-fit", "cloud.region": "eu-central-1", "faas.max_memory": 512}.items()
    )
    assert "host.name" not in events
    (metrics,) = receiver.resources("/v1/metrics")[:1]
    assert metrics["faas.name"] == "overlay-fit"
    assert not {"faas.instance", "host.name"} & metrics.keys()


INVOCATIONS = """
    import json, os, time, waferscope

    @waferscope.job("overlay-fit")
    def handler(event, context):
        return {"ok": True}

    took = []
    for _ in range(5):
        began = time.monotonic()
        assert handler({}, None) == {"ok": True}
        took.append(time.monotonic() - began)
    print(json.dumps(took), flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_handler_whose_endpoint_refuses_connections_does_not_wait(run: Any, closed_port: str) -> None:
    ended = run(INVOCATIONS, OTEL_EXPORTER_OTLP_ENDPOINT=closed_port, **LAMBDA)
    assert max(json.loads(ended.out)[1:]) < 1.0  # the first one imports the SDK
    assert ended.err.count("telemetry can't be delivered now") == 1


def test_a_handler_whose_endpoint_is_busy_does_not_wait_for_another_try(receiver: Any, run: Any) -> None:
    receiver.status = 503
    ended = run(INVOCATIONS, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **LAMBDA)
    assert max(json.loads(ended.out)[1:]) < 1.0


def test_a_handler_whose_endpoint_never_answers_waits_once(run: Any, black_hole: str) -> None:
    ended = run(INVOCATIONS, OTEL_EXPORTER_OTLP_ENDPOINT=black_hole, WAFERSCOPE_FLUSH_TIMEOUT="2", **LAMBDA)
    first, *others = json.loads(ended.out)
    assert first >= 2.0
    assert max(others) < 1.0


def test_to_configure_anew_waits_once_for_an_endpoint_that_never_answers(run: Any, black_hole: str) -> None:
    script = """
        import json, time, waferscope
        took = []
        for _ in range(3):
            began = time.monotonic()
            waferscope.configure(service="overlay")
            took.append(time.monotonic() - began)
            with waferscope.job("overlay"):
                pass
        print(json.dumps(took))
    """
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": black_hole, "WAFERSCOPE_FLUSH_TIMEOUT": "1"}
    _, second, third = json.loads(run(script, **env).out)
    assert 1.0 <= second < 2.0
    assert 1.0 <= third < 2.0, "the pipeline before the last one is not waited for again"
