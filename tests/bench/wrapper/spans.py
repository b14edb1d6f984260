"""A step and a job against raw spans of the SDK with the same attributes; nothing is sent on either side."""

import json
from collections.abc import Callable

from measure import CALLS, ROUNDS, compared, cost
from opentelemetry import trace
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import waferscope
from waferscope._internal import exporters
from waferscope._internal.transport import Route

SUCCESS = {
    "traces": SpanExportResult.SUCCESS,
    "logs": LogRecordExportResult.SUCCESS,
    "metrics": MetricExportResult.SUCCESS,
}
ON_JOB = {
    "wafer.job.name": "overlay",
    "wafer.job.id": "01a20ccf-094d-7050-b5f7-1d336d3dba91",
    "wafer.job.attempt": 1,
    "wafer.lot.id": "L",
    "wafer.equipment.id": "E",
    "wafer.recipe.id": "R",
    "wafer.job.result": "success",
    "wafer.job.cpu.user": 0.1,
    "wafer.job.cpu.system": 0.1,
    "wafer.job.memory.current": 1,
    "wafer.job.memory.max": 1,
    "wafer.job.io.read": 0,
    "wafer.job.io.write": 0,
    "wafer.job.context_switches.voluntary": 0,
    "wafer.job.context_switches.involuntary": 0,
}
ON_STEP = {
    "wafer.job.name": "overlay",
    "wafer.job.id": "01a20ccf-094d-7050-b5f7-1d336d3dba91",
    "wafer.job.attempt": 1,
    "wafer.step.name": "fit",
    "wafer.step.index": 0,
    "wafer.step.result": "success",
}


class Sink:
    """An exporter that takes everything at once."""

    def __init__(self, signal: str) -> None:
        self._success = SUCCESS[signal]

    def export(self, batch: object) -> object:
        """Take a batch."""
        del batch
        return self._success


class SpanSink(Sink, SpanExporter):
    """The same for the SDK's own processor."""


def raw(tracer: trace.Tracer, name: str, attributes: dict[str, str | int | float]) -> Callable[[], None]:
    """Give one raw span as a call."""

    def call() -> None:
        with tracer.start_as_current_span(name, attributes=attributes):
            pass

    return call


def main() -> None:
    """Measure and print."""
    exporters.build = lambda signal, _: [Route(Sink(signal))]  # type: ignore[assignment] # a stand-in for the receiver
    waferscope.configure(service="bench")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(SpanSink("traces"), max_queue_size=CALLS * 2))
    tracer = provider.get_tracer("bench")

    def job() -> None:
        with waferscope.job("overlay", lot="L", equipment="E", recipe="R"):
            pass

    def flush() -> None:
        waferscope.flush(10)

    raw_job, raw_step = raw(tracer, "overlay", ON_JOB), raw(tracer, "fit", ON_STEP)
    jobs = [(cost(raw_job, provider.force_flush), cost(job, flush)) for _ in range(ROUNDS)]
    with waferscope.job("overlay", lot="L", equipment="E", recipe="R") as around:

        def step() -> None:
            with around.step("fit"):
                pass

        steps = [(cost(raw_step, provider.force_flush), cost(step, flush)) for _ in range(ROUNDS)]
    print(json.dumps({"job": compared(jobs[1:]), "step": compared(steps[1:])}))


if __name__ == "__main__":
    main()
