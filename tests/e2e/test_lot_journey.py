"""A lot's way through the fab, as the site shows it: jobs, attempts, subjobs, tools, carriers, releases."""

import json
import signal
from typing import Any

import pytest
from e2e.fab import EXAMPLES, JOBS, Fab
from support.wait import wait_until

pytestmark = [pytest.mark.collector, pytest.mark.timeout(300)]
LOT = "LOT-4799"
TOOLS = ("SCAN-03", "ETCH-07", "OVL-02")
WAFERS = 10


@pytest.fixture(scope="module")
def journey(fab: Fab) -> Fab:
    """Take a lot through three tools, and wait until all of its jobs have ended at the site."""
    with fab.start(EXAMPLES / "lot_journey.py", "--lot", LOT, "--carrier", "FOUP-99", "--wafers", str(WAFERS)) as job:
        assert job.wait_exit(within_s=60) == 0, job.report()
    ended = "select count(*) as n from wafer.jobs where lot = $1 and ended_at is not null"
    expected = len(TOOLS) + 1 + len(TOOLS) * WAFERS
    wait_until(lambda: fab.site.sql(ended, LOT)[0]["n"] == expected, f"{expected} runs of the lot have ended")
    wait_until(lambda: len(_visits(fab)) == len(TOOLS), "all visits are known")
    return fab


def test_a_retry_is_a_second_attempt_at_the_same_job(journey: Fab) -> None:
    rows = journey.site.sql(
        "select job_id, attempt, status, error_message, operation, attributes from wafer.jobs"
        " where lot = $1 and name = 'lot-processing' and equipment = 'ETCH-07' order by attempt",
        LOT,
    )
    assert [(row["attempt"], row["status"]) for row in rows] == [(1, "failed"), (2, "succeeded")]
    assert len({row["job_id"] for row in rows}) == 1
    assert rows[0]["error_message"] == "base pressure not reached"
    assert rows[0]["operation"] == "ETCH-M1"


def test_work_in_threads_is_subjobs_on_the_same_lot_and_tool(journey: Fab) -> None:
    rows = journey.site.sql(
        "select s.status, s.error_message, s.equipment, p.equipment as at from wafer.jobs s"
        " join wafer.jobs p on p.job_id = s.parent_job_id and p.status = 'succeeded'"
        " where s.name = 'wafer-measurement' and s.lot = $1",
        LOT,
    )
    assert len(rows) == len(TOOLS) * WAFERS
    assert all(row["equipment"] == row["at"] for row in rows)
    skipped = [row for row in rows if row["status"] == "skipped"]
    assert [row["error_message"] for row in skipped] == ["not in the sampling plan"] * len(TOOLS)


def test_states_of_a_tool_are_intervals(journey: Fab) -> None:
    rows = journey.site.sql("select * from wafer.equipment_states where equipment = 'ETCH-07' order by start")
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("PRD", None),
        ("UDT", "base pressure not reached"),
        ("PRD", None),
        ("SBY", None),
    ]
    assert [row["end"] for row in rows] == [*(row["start"] for row in rows[1:]), None]


def test_a_carriers_visits_have_dwell_times(journey: Fab) -> None:
    visits = _visits(journey)
    assert [visit["equipment"] for visit in visits] == list(TOOLS)
    assert all(0 < visit["dwell_s"] < 30 for visit in visits)
    assert all(visit["lot"] == LOT for visit in visits)


def test_measurements_and_queue_times_are_metrics(journey: Fab) -> None:
    count = "film_thickness_nm_count{wafer_job_name='wafer-measurement'}"
    wait_until(lambda: len(journey.site.promql(count)) == len(TOOLS), "all measurements are at the site")
    assert journey.site.value(f"sum({count})") == len(TOOLS) * WAFERS
    mean = "sum(film_thickness_nm_sum) / sum(film_thickness_nm_count)"
    assert journey.site.value(mean) == pytest.approx(250, abs=2)
    queued = "sum(wafer_job_queue_duration_seconds_count{wafer_job_name='lot-processing'})"
    assert journey.site.value(queued) == len(TOOLS)  # a second try has not waited again


def test_log_lines_stand_beside_their_job(journey: Fab) -> None:
    rows = wait_until(
        lambda: journey.site.sql(
            "select l.body, j.equipment from wafer.logs l join wafer.jobs j using (job_id)"
            " where l.service = 'lot-journey' and j.lot = $1 and j.attempt = 1 order by l.ts",
            LOT,
        ),
        "the log lines are at the site",
    )
    assert {row["equipment"] for row in rows} == set(TOOLS)


def test_jobs_of_a_lot_are_linked(journey: Fab) -> None:
    spans = journey.site.sql(
        "select links from wafer.spans where lot = $1 and job_name = 'lot-processing' and step_name is null"
        " order by start",
        LOT,
    )
    assert [len(json.loads(span["links"])) for span in spans] == [0, 1, 1, 1]


def test_a_deployment_is_marked(fab: Fab) -> None:
    with fab.start(JOBS / "release.py", "2.7.1") as release:
        assert release.wait_exit(within_s=30) == 0, release.report()
    (row,) = wait_until(
        lambda: fab.site.sql("select * from wafer.deployments where version = '2.7.1'"), "the deployment is at the site"
    )
    assert row["service"] == "overlay"


def test_a_job_stopped_by_sigterm_is_canceled_at_once(fab: Fab) -> None:
    with fab.start(JOBS / "endless.py") as process:
        job_id = process.wait_stdout().strip()
        process.send(signal.SIGTERM)
        assert process.wait_exit() == -signal.SIGTERM
    query = "select status, error_message from wafer.jobs where job_id = $1 and ended_at is not null"
    (row,) = wait_until(lambda: fab.site.sql(query, job_id), "the end of the job is at the site")
    assert (row["status"], row["error_message"]) == ("canceled", "SIGTERM")


def _visits(fab: Fab) -> list[dict[str, Any]]:
    return fab.site.sql(
        "select * from wafer.carrier_visits where carrier = 'FOUP-99' and departure is not null order by arrival"
    )
