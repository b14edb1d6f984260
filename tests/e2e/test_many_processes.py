"""Many short processes of one job name make one counter that rate() can work with."""

import pytest
from e2e.fab import JOBS, Fab
from support.wait import wait_until

pytestmark = [pytest.mark.collector, pytest.mark.timeout(300)]
PROCESSES = 200
AT_A_TIME = 25  # each sleeps for most of its second
LABELS = '{wafer_job_name="one-second-inspection"}'


def test_many_processes_are_as_many_jobs_and_make_one_counter(fab: Fab) -> None:
    with fab.start(JOBS / "crowd.py", str(PROCESSES), str(AT_A_TIME)) as crowd:
        assert crowd.wait_exit(within_s=200) == 0, crowd.report()
    wait_until(
        lambda: (fab.site.value(f"sum(wafer_job_duration_seconds_count{LABELS})") or 0) >= PROCESSES,
        "the durations of all processes are at the site",
    )
    _assert_one_counter(fab, "wafer_job_duration_seconds_count", PROCESSES)
    _assert_one_counter(fab, "wafer_substrate_processed_total", 2 * PROCESSES)

    (jobs,) = fab.site.sql(
        "select count(*) filter (where status = 'succeeded') as succeeded, count(distinct job_id) as ids,"
        " sum(duration_s) as seconds from wafer.jobs where name = 'one-second-inspection'"
    )
    assert (jobs["succeeded"], jobs["ids"]) == (PROCESSES, PROCESSES)
    total = fab.site.value(f"wafer_job_duration_seconds_sum{LABELS}")
    assert total == pytest.approx(jobs["seconds"], rel=1e-3)


def _assert_one_counter(fab: Fab, metric: str, total: int) -> None:
    """Check that there is one series, that it begins at zero, never falls, and ends at the total."""
    assert fab.site.value(f"count({metric}{LABELS})") == 1
    assert fab.site.value(f"{metric}{LABELS}") == total
    history = fab.site.history(f"{metric}{LABELS}", 300)
    assert history == sorted(history)
    assert fab.site.value(f"max_over_time({metric}{LABELS}[10m]) - min_over_time({metric}{LABELS}[10m])") == total
