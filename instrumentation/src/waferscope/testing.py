"""Assert the telemetry of your jobs in your own tests: kept in memory, with a clock and ids that repeat.

def test_the_fit_tells_its_steps(wafer_telemetry):
    fit("LOT-4711")
    job = wafer_telemetry.job("overlay-fit")
    assert job.result == "success"
    assert [step.name for step in job.steps] == ["regress"]

The fixture `wafer_telemetry` is there wherever waferscope is installed; outside of pytest there is `capture()`.
"""

from waferscope._internal.capture import Clock, capture
from waferscope._internal.captured import (
    CapturedEvent,
    CapturedJob,
    CapturedLog,
    CapturedMetric,
    CapturedStep,
    Telemetry,
)

__all__ = [
    "CapturedEvent",
    "CapturedJob",
    "CapturedLog",
    "CapturedMetric",
    "CapturedStep",
    "Clock",
    "Telemetry",
    "capture",
]
