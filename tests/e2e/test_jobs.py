"""Real jobs in processes of their own, seen through the site's interfaces and at the trace store."""

import contextlib
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from e2e.fab import EXAMPLES, JOBS, Fab
from e2e.receiver import Item
from e2e.site import SITE
from support.wait import wait_until

pytestmark = [pytest.mark.collector, pytest.mark.timeout(300)]
ENDED = {"succeeded", "failed", "canceled", "skipped"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample job and what must be known of it afterwards."""

    name: str
    script: str
    arguments: tuple[str, ...]
    steps: dict[str, int]  # how often each ran
    says: str  # the finding
    exit_code: int = 0
    status: str = "succeeded"
    wafers: int | None = None
    progress: tuple[int, int] | None = None
    error_type: str | None = None
    equipment: str = "OVL-02"
    recipe: str = "M1-VIA1"


SAMPLES = [
    Sample(
        name="wafer-map-defects",
        script="wafer_map_defects.py",
        arguments=("--lot", "LOT-4711", "--equipment", "INSP-01", "--recipe", "BF-193"),
        steps={"inspect": 1, "cluster": 1, "classify": 1},
        says="LOT-4711 wafer 05: scratch of",
        wafers=25,
        progress=(25, 25),
        equipment="INSP-01",
        recipe="BF-193",
    ),
    Sample(
        name="overlay-regression",
        script="overlay_regression.py",
        arguments=("--lot", "LOT-4711", "--wafers", "12"),
        steps={"design": 1, "fit": 1},
        says="LOT-4711: Tx +3.",
        wafers=12,
        progress=(12, 12),
    ),
    Sample(
        name="overlay-regression-async",
        script="overlay_regression.py",
        arguments=("--async", "--lot", "LOT-4711", "--wafers", "12"),
        steps={"measure": 12, "fit": 12},
        says="LOT-4711: Tx +3.",
        wafers=12,
        progress=(12, 12),
    ),
    Sample(
        name="equipment-log-crunching",
        script="equipment_log_crunching.py",
        arguments=("--days", "3"),
        steps={"crunch": 1, "summarise": 1},
        says="ETCH-07: PRD 8",
        progress=(3, 3),
        equipment="ETCH-07",
        recipe="LOG-SCAN",
    ),
    Sample(
        name="recipe-window",
        script="failing_recipe.py",
        arguments=("--lot", "LOT-4712"),
        steps={"expose": 1, "fit": 1, "window": 1},
        says="NoProcessWindowError: 0.033 µm depth of focus",
        exit_code=1,
        status="failed",
        error_type="__main__.NoProcessWindowError",
        equipment="SCAN-03",
        recipe="M1-TRIAL",
    ),
]
RESULTS = {"succeeded": "success", "failed": "failure"}


@pytest.fixture(scope="session")
def ran(fab: Fab) -> Fab:
    """Run all sample jobs, and wait until the site knows how they ended and holds their metrics."""
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(fab.start(EXAMPLES / each.script, *each.arguments)) for each in SAMPLES]
        for sample, process in zip(SAMPLES, processes, strict=True):
            assert process.wait_exit(within_s=90) == sample.exit_code, process.report()
            assert sample.says in process.stdout + process.stderr
    names = "|".join(sample.name for sample in SAMPLES)
    wait_until(
        lambda: len(fab.site.promql(f'wafer_job_duration_seconds_count{{wafer_job_name=~"{names}"}}')) == len(SAMPLES),
        "the metrics of all sample jobs are at the site",
    )
    for sample in SAMPLES:
        wait_until(lambda name=sample.name: (fab.site.job(name) or {}).get("status") in ENDED, f"{sample.name} ended")
    return fab


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.name)
def sample(request: pytest.FixtureRequest) -> Sample:
    return request.param


def test_a_jobs_row_tells_what_it_worked_on_and_how_it_ended(ran: Fab, sample: Sample) -> None:
    row = ran.site.job(sample.name)
    assert row is not None
    assert row["status"] == sample.status
    assert row["site"] == SITE
    assert row["host"] == socket.gethostname()
    assert row["equipment"] == sample.equipment
    assert row["recipe"] == sample.recipe
    assert row["lot"] == dict(zip(sample.arguments, sample.arguments[1:], strict=False)).get("--lot")
    assert row["error_type"] == sample.error_type
    assert (row["progress_done"], row["progress_total"]) == (sample.progress or (None, None))
    assert row["ended_at"] > row["started_at"]
    assert row["memory_peak_bytes"] > 2**20


def test_the_job_api_lists_a_job_with_its_steps(ran: Fab, sample: Sample) -> None:
    row = ran.site.job(sample.name)
    assert row is not None
    (listed,) = [item for item in ran.site.get("/v1/jobs", limit="10000")["items"] if item["job_id"] == row["job_id"]]
    assert listed["status"] == sample.status
    assert listed["duration_s"] == pytest.approx(row["duration_s"])
    (attempt,) = ran.site.get(f"/v1/jobs/{row['job_id']}")["attempts"]
    assert sorted(step["name"] for step in attempt["steps"]) == _names(sample)


def test_metrics_equal_what_the_job_did(ran: Fab, sample: Sample) -> None:
    row = ran.site.job(sample.name)
    assert row is not None
    job = f'wafer_job_name="{sample.name}"'
    ended = f'{job}, wafer_job_result="{RESULTS[sample.status]}", wafer_equipment_id="{sample.equipment}"'
    assert ran.site.value(f"wafer_job_duration_seconds_count{{{ended}}}") == 1
    assert ran.site.value(f"wafer_job_duration_seconds_sum{{{ended}}}") == pytest.approx(row["duration_s"], rel=1e-3)
    assert ran.site.value(f"wafer_job_memory_peak_bytes_sum{{{job}}}") == row["memory_peak_bytes"]
    assert ran.site.value(f"wafer_job_cpu_time_seconds_total{{{job}}}") == pytest.approx(
        row["cpu_user_s"] + row["cpu_system_s"], rel=1e-3
    )
    assert ran.site.value(f"wafer_substrate_processed_total{{{job}}}") == sample.wafers
    assert ran.site.value(f"wafer_job_errors_total{{{job}}}") == (1 if sample.status == "failed" else None)
    counted = ran.site.promql(f"sum by (wafer_step_name) (wafer_step_duration_seconds_count{{{job}}})")
    assert {dict(labels)["wafer_step_name"]: count for labels, count in counted.items()} == sample.steps


def test_the_median_duration_lies_in_the_bucket_of_the_jobs_duration(ran: Fab, sample: Sample) -> None:
    row = ran.site.job(sample.name)
    assert row is not None
    buckets = ran.site.promql(f'wafer_job_duration_seconds_bucket{{wafer_job_name="{sample.name}"}}')
    bounds = sorted(float(dict(labels)["le"]) for labels in buckets)
    upper = min(bound for bound in bounds if bound >= row["duration_s"])
    lower = max((bound for bound in bounds if bound < row["duration_s"]), default=0)
    median = ran.site.value(
        f'histogram_quantile(0.5, sum by (le) (wafer_job_duration_seconds_bucket{{wafer_job_name="{sample.name}"}}))'
    )
    assert median is not None
    assert lower <= median <= upper


def test_steps_are_children_of_their_job_in_the_database(ran: Fab, sample: Sample) -> None:
    spans = _stored_spans(ran, sample)
    (job,) = [span for span in spans if span["step_name"] is None]
    steps = [span for span in spans if span["step_name"] is not None]
    assert job["name"] == job["job_name"] == sample.name
    assert sorted(step["step_name"] for step in steps) == _names(sample)
    assert {step["parent_span_id"] for step in steps} == {job["span_id"]}
    assert {step["trace_id"] for step in steps} == {job["trace_id"]}
    assert job["status"] == ("error" if sample.status == "failed" else "unset")


def test_the_same_spans_with_the_same_parents_are_at_the_trace_store(ran: Fab, sample: Sample) -> None:
    for stored in _stored_spans(ran, sample):
        span = _at_trace_store(ran, stored)
        assert span.data.name == stored["name"]
        assert span.data.parent_span_id.hex() == (stored["parent_span_id"] or "")
        assert span.resource["wafer.site.id"] == SITE
        assert span.attributes["wafer.job.name"] == sample.name


def test_a_failed_job_says_why(ran: Fab) -> None:
    row = ran.site.job("recipe-window")
    assert row is not None
    assert "depth of focus at 36.0 nm" in row["error_message"]
    assert ran.site.value('wafer_job_errors_total{error_type="__main__.NoProcessWindowError"}') == 1


def test_host_metrics_stand_beside_the_jobs(ran: Fab) -> None:
    host = f'{{host_name="{socket.gethostname()}", wafer_site_id="{SITE}"}}'
    for metric in ("system_memory_usage_bytes", "system_cpu_time_seconds_total", "system_network_io_bytes_total"):
        wait_until(lambda metric=metric: ran.site.promql(metric + host), f"{metric} is at the site")
    (row,) = ran.site.sql("select * from wafer.hosts where name = $1", socket.gethostname())
    assert (row["site"], row["unreachable"]) == (SITE, False)


def test_the_collector_tells_the_site_of_its_own_queues(fab: Fab) -> None:
    wait_until(
        lambda: fab.site.promql(f'otelcol_exporter_queue_size{{wafer_site_id="{SITE}"}}'),
        "the Collector's own metrics are at the site",
        within_s=60,  # it tells every 30 s
    )


@pytest.fixture
def killed(fab: Fab) -> Iterator[str]:
    """Start a job that beats three times a second, and kill it once the site shows it; yield its id."""
    with fab.start(JOBS / "endless.py", env={"WAFERSCOPE_HEARTBEAT_INTERVAL": "0.3"}) as process:
        job_id = process.wait_stdout().strip()
        wait_until(lambda: _beats(fab, job_id) >= 2, "two heartbeats are at the site")
        assert _status(fab, job_id) == "running"
        process.send(signal.SIGKILL)
        process.wait_exit()
        yield job_id


def test_a_killed_job_is_seen_running_then_stale_then_lost(fab: Fab, killed: str) -> None:
    wait_until(lambda: _status(fab, killed) == "stale", "stale after three intervals", within_s=5)
    (row,) = fab.site.sql("select * from wafer.jobs where job_id = $1", killed)
    assert (row["step_name"], row["progress_done"], row["progress_total"]) == ("etch", 3, 25)
    assert row["heartbeat_age_s"] > 3 * 0.3
    wait_until(lambda: _status(fab, killed) == "lost", "lost after thirty intervals", within_s=20)


def _status(fab: Fab, job_id: str) -> str | None:
    """Return the status by API and view, which must agree; None while a change falls between the two."""
    by_api = [item["status"] for item in fab.site.get("/v1/jobs", limit="10000")["items"] if item["job_id"] == job_id]
    by_view = [row["status"] for row in fab.site.sql("select status from wafer.jobs where job_id = $1", job_id)]
    return by_view[0] if by_api == by_view and by_view else None


def _beats(fab: Fab, job_id: str) -> int:
    rows = fab.site.sql(
        "select count(*) from wafer.job_events where job_id = $1 and name = 'wafer.job.heartbeat'", job_id
    )
    return int(rows[0]["count"])


def _stored_spans(fab: Fab, sample: Sample) -> list[dict[str, Any]]:
    expected = 1 + sum(sample.steps.values())

    def spans() -> list[dict[str, Any]]:
        rows = fab.site.sql("select * from wafer.spans where job_name = $1", sample.name)
        return rows if len(rows) >= expected else []

    return wait_until(spans, f"{expected} spans of {sample.name} are in the database")


def _at_trace_store(fab: Fab, stored: dict[str, Any]) -> Item:
    return wait_until(
        lambda: fab.traces.span(stored["trace_id"], stored["span_id"]), f"{stored['name']} is at the trace store"
    )


def _names(sample: Sample) -> list[str]:
    return sorted(name for name, times in sample.steps.items() for _ in range(times))
