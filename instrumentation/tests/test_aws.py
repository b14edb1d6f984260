"""On AWS: the platform in the resource, and telemetry that leaves before a function is frozen."""

from __future__ import annotations

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


def test_a_handler_with_an_unreachable_endpoint_returns_in_time(run: Any) -> None:
    ended = run(HANDLER, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", WAFERSCOPE_FLUSH_TIMEOUT="0.5", **LAMBDA)
    assert (ended.code, ended.out) == (-9, "{'ok': True}\n")
    assert ended.seconds < 20
