"""Writes sample data to a writer: jobs that succeeded, failed and run, their metrics, a host's (`sample.py URL`).

A small site by hand-made OTLP, so that each figure is known; what the wrapper and the Collector really send goes
through the end-to-end tests.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Iterable
from typing import Any

MINUTE = 60 * 10**9
BOUNDS = [1.0, 5.0, 10.0, 60.0]
RESOURCE = {
    "service.name": "overlay-analysis",
    "service.version": "1.4.0",
    "host.name": "metro-host-1",
    "wafer.site.id": "fab1",
}
NOW = time.time_ns()


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return OTLP attributes."""
    kinds = {str: "stringValue", float: "doubleValue", int: "intValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in values.items()]


def post(url: str, signal: str, scope: str, records: list[dict[str, Any]]) -> None:
    """Send one request; anything but full success is an error."""
    outer, inner = {"logs": ("resourceLogs", "logRecords"), "metrics": ("resourceMetrics", "metrics")}[signal]
    scoped = [{"scope": {"name": scope}, inner: records}]
    scopes = outer.replace("resource", "scope")
    body = {outer: [{"resource": {"attributes": attributes(RESOURCE)}, scopes: scoped}]}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/{signal}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    assert not answer.get("partialSuccess"), answer


def event(name: str, job_id: str, sequence: int, ago: int, **more: Any) -> dict[str, Any]:
    """Return an event of a job, `ago` nanoseconds old; underscores in the names of attributes stand for dots."""
    known = {
        "wafer.job.id": job_id,
        "wafer.job.name": "overlay-fit",
        "wafer.job.attempt": 1,
        "wafer.job.sequence": sequence,
        "wafer.job.heartbeat.interval": 10.0,
        "wafer.recipe.id": "OVL-7",
        "wafer.lot.id": "LOT-4711",
    }
    known |= {key.replace("_", "."): value for key, value in more.items()}
    return {
        "timeUnixNano": str(NOW - ago),
        "observedTimeUnixNano": str(NOW - ago),
        "eventName": name,
        "severityNumber": 9,
        "attributes": attributes(known),
    }


def run(job_id: str, equipment: str, ago: int, result: str | None) -> Iterable[dict[str, Any]]:
    """Yield the events of a run that started a minute before its last sign, `ago` nanoseconds ago."""
    yield event("wafer.job.started", job_id, 0, ago + MINUTE, wafer_job_elapsed=0.0, wafer_equipment_id=equipment)
    more = {
        "wafer_job_elapsed": 60.0,
        "wafer_equipment_id": equipment,
        "wafer_job_progress_done": 12.0,
        "wafer_job_progress_total": 25.0,
        "wafer_step_name": "fit",
        "wafer_step_index": 1,
        "wafer_job_cpu_user": 41.0,
        "wafer_job_cpu_system": 1.5,
        "wafer_job_memory_current": 180 * 2**20,
        "wafer_job_memory_max": 220 * 2**20,
    }
    if result is None:
        yield event("wafer.job.heartbeat", job_id, 1, ago, **more)
    else:
        failed = {"error_type": "ValueError", "exception_message": "singular"} if result == "failure" else {}
        yield event("wafer.job.ended", job_id, 1, ago, wafer_job_result=result, **more, **failed)


def minutes() -> Iterable[tuple[str, str]]:
    """Yield start and end of each minute of the last hour, as OTLP writes times."""
    for ago in range(60, 0, -1):
        yield str(NOW - ago * MINUTE), str(NOW - (ago - 1) * MINUTE)


def job_metrics(start: str, end: str) -> list[dict[str, Any]]:
    """Return a run of 7.5 s that failed, as deltas."""
    when = {"startTimeUnixNano": start, "timeUnixNano": end}
    identity = {"wafer.job.name": "overlay-fit", "wafer.equipment.id": "ETCH.07", "wafer.job.result": "failure"}
    buckets = {"explicitBounds": BOUNDS, "bucketCounts": ["0", "0", "1", "0", "0"], "count": "1", "sum": 7.5}
    duration = {**when, "attributes": attributes(identity), **buckets}
    error = {**when, "attributes": attributes({**identity, "error.type": "ValueError"}), "asInt": "1"}
    delta = {"aggregationTemporality": 1}
    return [
        {"name": "wafer.job.duration", "unit": "s", "histogram": {**delta, "dataPoints": [duration]}},
        {"name": "wafer.job.errors", "unit": "{error}", "sum": {**delta, "isMonotonic": True, "dataPoints": [error]}},
    ]


def host_metrics() -> list[dict[str, Any]]:
    """Return an hour of a host that is half busy and uses a quarter of its memory."""
    cpu, memory = [], []
    for minute, (_, at) in enumerate(minutes()):
        when = {"startTimeUnixNano": str(NOW - 60 * MINUTE), "timeUnixNano": at}
        for state in ("idle", "user"):
            point = {"attributes": attributes({"cpu": "cpu0", "state": state}), "asDouble": minute * 30.0}
            cpu.append({**when, **point})
        for state, share in (("used", 1), ("free", 3)):
            memory.append({**when, "attributes": attributes({"state": state}), "asInt": str(share * 2**32)})
    cumulative = {"aggregationTemporality": 2}
    return [
        {"name": "system.cpu.time", "unit": "s", "sum": {**cumulative, "isMonotonic": True, "dataPoints": cpu}},
        {
            "name": "system.memory.usage",
            "unit": "By",
            "sum": {**cumulative, "isMonotonic": False, "dataPoints": memory},
        },
    ]


def main() -> None:
    """Write all of it."""
    (url,) = sys.argv[1:]
    runs = [("done", "LITHO-01", 5 * MINUTE, "success"), ("broken", "ETCH.07", 3 * MINUTE, "failure")]
    runs.append(("going", "LITHO-01", 0, None))
    post(url, "logs", "waferscope", [record for each in runs for record in run(*each)])
    for start, end in minutes():  # one request each, as a process exports: the writer makes one sample of a request
        post(url, "metrics", "waferscope", job_metrics(start, end))
    post(url, "metrics", "example/hostmetricsreceiver", host_metrics())


if __name__ == "__main__":
    main()
