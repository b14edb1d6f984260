"""Many short processes of one job name make one counter that rate() can work with."""

import pytest
from e2e.fab import JOBS, Fab
from support.wait import wait_until

pytestmark = [pytest.mark.collector, pytest.mark.timeout(300)]
PROCESSES = 200
AT_A_TIME = 25  # each sleeps for most of its second
LABELS = '{wafer_job_name="one-second-inspection"}'


@pytest.fixture(scope="module")
def ran(fab: Fab) -> Fab:
    with fab.start(JOBS / "crowd.py", str(PROCESSES), str(AT_A_TIME)) as crowd:
        assert crowd.wait_exit(within_s=200) == 0, crowd.report()
    wait_until(
        lambda: (fab.site.value(f"sum(wafer_job_duration_seconds_count{LABELS})") or 0) >= PROCESSES,
        "the durations of all processes are at the site",
    )
    return fab


@pytest.mark.parametrize(
    ("metric", "total"),
    [("wafer_job_duration_seconds_count", PROCESSES), ("wafer_substrate_processed_total", 2 * PROCESSES)],
)
def test_many_processes_make_one_counter(ran: Fab, metric: str, total: int) -> None:
    assert ran.site.value(f"count({metric}{LABELS})") == 1
    assert ran.site.value(f"{metric}{LABELS}") == total
    history = ran.site.history(f"{metric}{LABELS}", 240)
    assert history == sorted(history)
    assert ran.site.value(f"max_over_time({metric}{LABELS}[10m]) - min_over_time({metric}{LABELS}[10m])") == total


def test_each_of_many_processes_is_a_job_of_its_own(ran: Fab) -> None:
    rows = ran.site.sql(
        "select count(*) filter (where status = 'succeeded') as succeeded, count(distinct job_id) as jobs,"
        " sum(duration_s) as seconds from wafer.jobs where name = 'one-second-inspection'"
    )
    assert (rows[0]["succeeded"], rows[0]["jobs"]) == (PROCESSES, PROCESSES)
    total = ran.site.value(f"wafer_job_duration_seconds_sum{LABELS}")
    assert total == pytest.approx(rows[0]["seconds"], rel=1e-3)
