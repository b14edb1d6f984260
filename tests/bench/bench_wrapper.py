"""What a job and a step cost against a raw OpenTelemetry span with the same attributes."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

ROUNDS = 20
CALLS = 200
IMPORTS = 5

SDK_IMPORT = (
    "import opentelemetry.sdk.trace.export, opentelemetry.sdk._logs.export, opentelemetry.sdk.metrics.export, "
    "opentelemetry.exporter.otlp.proto.http.trace_exporter, opentelemetry.exporter.otlp.proto.http._log_exporter, "
    "opentelemetry.exporter.otlp.proto.http.metric_exporter"
)
DISABLED = f"""
import time, waferscope
with waferscope.job("overlay") as job:
    rounds = []
    for _ in range({ROUNDS}):
        began = time.perf_counter()
        for _ in range({CALLS}):
            with job.step("fit"):
                pass
        rounds.append((time.perf_counter() - began) / {CALLS})
print(sorted(rounds)[{ROUNDS} // 2])
"""

Timed = Callable[[], float]


def timed(block: Callable[[], None]) -> Timed:
    """Give a function that tells the seconds of one call of `block`."""

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(CALLS):
            block()
        return (time.perf_counter() - began) / CALLS

    return measure


def interleaved(subjects: Sequence[Timed]) -> list[list[float]]:
    """Measure all subjects in turn, round after round; one list of seconds per round."""
    for subject in subjects:
        subject()
    return [[subject() for subject in subjects] for _ in range(ROUNDS)]


def recording() -> list[tuple[str, float, float]]:
    """Measure step and job against raw spans, with batch processors whose exporters take everything at once."""
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry._logs import set_logger_provider  # noqa: PLC0415
    from opentelemetry.sdk._logs import LoggerProvider  # noqa: PLC0415
    from opentelemetry.sdk._logs.export import (  # noqa: PLC0415
        BatchLogRecordProcessor,
        LogRecordExporter,
        LogRecordExportResult,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: PLC0415

    import waferscope  # noqa: PLC0415 - imports are measured apart

    class Spans(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            del spans
            return SpanExportResult.SUCCESS

    class Records(LogRecordExporter):
        def export(self, batch: object) -> LogRecordExportResult:
            del batch
            return LogRecordExportResult.SUCCESS

        def force_flush(self, timeout_millis: int = 10_000) -> bool:
            del timeout_millis
            return True

        def shutdown(self) -> None:
            pass

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Spans(), max_queue_size=100_000))
    trace.set_tracer_provider(tracers)
    loggers = LoggerProvider()
    loggers.add_log_record_processor(BatchLogRecordProcessor(Records(), max_queue_size=100_000))
    set_logger_provider(loggers)
    os.environ["OTEL_METRICS_EXPORTER"] = "none"
    waferscope.configure(service="bench")
    tracer = trace.get_tracer("bench")

    with waferscope.job("overlay", lot="L", equipment="E", recipe="R") as job:
        of_job = {"wafer.job.id": job.id, "wafer.job.name": "overlay", "wafer.job.attempt": 1}
        of_step = {**of_job, "wafer.step.name": "fit", "wafer.step.index": 0, "wafer.step.result": "success"}
        whole = {
            **of_job,
            "wafer.lot.id": "L",
            "wafer.equipment.id": "E",
            "wafer.recipe.id": "R",
            "wafer.job.cpu.user": 0.1,
            "wafer.job.cpu.system": 0.1,
            "wafer.job.memory.current": 1,
            "wafer.job.memory.max": 1,
            "wafer.job.result": "success",
        }

        def raw_step() -> None:
            with tracer.start_as_current_span("fit", attributes=of_step):
                pass

        def one_step() -> None:
            with job.step("fit"):
                pass

        steps = interleaved([timed(raw_step), timed(one_step)])

    def raw_job() -> None:
        with tracer.start_as_current_span("overlay", attributes=whole):
            pass

    def one_job() -> None:
        with waferscope.job("overlay", lot="L", equipment="E", recipe="R"):
            pass

    jobs = interleaved([timed(raw_job), timed(one_job)])
    return [compared("`job.step`", steps), compared("`job` with its two events", jobs)]


def compared(subject: str, rounds: list[list[float]]) -> tuple[str, float, float]:
    """Give the subject's median seconds and its median ratio to what stands before it in each round."""
    return subject, statistics.median(own for _, own in rounds), statistics.median(own / raw for raw, own in rounds)


def importing() -> tuple[float, float]:
    """Measure the import and the first configuration against the import of the SDK and exporters; give two ratios."""
    codes = (SDK_IMPORT, "import waferscope", "import waferscope; waferscope.configure()")
    rounds = [[process(code) for code in codes] for _ in range(IMPORTS)]
    bare = statistics.median(process("pass") for _ in range(IMPORTS))
    return tuple(statistics.median((row[index] - bare) / (row[0] - bare) for row in rounds) for index in (1, 2))  # type: ignore[return-value] # two indices, two ratios


def process(code: str) -> float:
    """Give the seconds of a Python process that runs `code`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    disabled = subprocess.run(
        [sys.executable, "-c", DISABLED],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OTEL_SDK_DISABLED": "true"},
    )
    imported, configured = importing()
    print("## Wrapper\n")
    print("| wrapper | median | against |")
    print("|---|---|---|")
    for subject, seconds, ratio in recording():
        print(f"| {subject} | {seconds * 1e6:.1f} µs | {ratio:.2f} times a raw span with the same attributes |")
    print(f"| `job.step` with OTEL_SDK_DISABLED=true | {float(disabled.stdout) * 1e6:.2f} µs | |")
    print(f"| `import waferscope` | | {imported:.2f} times the import of SDK and exporters |")
    print(f"| `import waferscope` and `configure()` | | {configured:.2f} times the import of SDK and exporters |")


if __name__ == "__main__":
    main()
