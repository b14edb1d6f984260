"""The board "Site overview": is all well at this site, and if not, where to look."""

from grafana_foundation_sdk.builders import barchart, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models.units import BytesIEC, PercentUnit, Seconds, Short

from waferscope_grafana import charts, variables
from waferscope_grafana.palette import GREEN, GREY, NEUTRAL, ORANGE, PURPLE, VERMILLION, steps
from waferscope_grafana.queries import promql, selected_series, sql
from waferscope_grafana.sources import PROMQL, SQL
from waferscope_grafana.tables import Column, progress_column, sql_table, status_column
from waferscope_grafana.tiles import Tile, tiles

_CHOICE = ("site", "application", "equipment")
_JOBS = selected_series(*_CHOICE)
_HOSTS = selected_series("site")
# Counters of jobs have a sample per export only: a window of an hour holds two of them where one of `$__rate_interval`
# would often hold none.


def overview(board: Dashboard) -> Dashboard:
    """Fill the board: tiles, what runs now, how it went, what it ran on."""
    board.description(
        "All jobs of a site: how they went, what runs now, where failures gather, and the hosts they run on."
    )
    board.time("now-24h", "now").refresh("10s")
    for source in (PROMQL, SQL):
        board.with_variable(variables.source_variable(source))
    for choice in (variables.site(), variables.application(), variables.equipment()):
        board.with_variable(choice)
    board.with_panel(_ended().height(4).span(12)).with_panel(_open().height(4).span(12))
    board.with_panel(_open_runs().height(9).span(24))
    board.with_row(Row("How it went"))
    board.with_panel(_runs_by_hour().height(9).span(14)).with_panel(_failures_by_equipment().height(9).span(10))
    board.with_panel(_durations().height(9).span(14)).with_panel(_errors().height(9).span(10))
    board.with_row(Row("Hosts"))
    return board.with_panel(_host_cpu().height(8).span(12)).with_panel(_host_memory().height(8).span(12))


def _ended() -> stat.Panel:
    return tiles(
        "Runs of the time range",
        "Runs that started in the time range: how many, how many ended well or failed, and the share that ended well "
        "among those two. Canceled and skipped runs count as runs only.",
        sql("overview_ended", *_CHOICE),
        [
            Tile("Runs", steps(NEUTRAL)),
            Tile("Succeeded", steps(NEUTRAL)),
            Tile("Failed", steps(NEUTRAL, (1, VERMILLION))),
            Tile(
                "Success rate",
                steps(NEUTRAL, (0, VERMILLION), (0.9, ORANGE), (0.98, GREEN)),
                PercentUnit,
                "none",
            ),
        ],
    )


def _open() -> stat.Panel:
    return tiles(
        "Runs now",
        "Runs that have not ended, whenever they started. Stale: no heartbeat for 3 intervals. Lost: none for 30, "
        "counted while the last one is in the time range. Unreachable: the whole host is silent, the job may be alive.",
        sql("overview_open", *_CHOICE),
        [
            Tile("Running", steps(NEUTRAL)),
            Tile("Stale", steps(NEUTRAL, (1, ORANGE))),
            Tile("Unreachable", steps(NEUTRAL, (1, GREY))),
            Tile("Lost", steps(NEUTRAL, (1, PURPLE))),
        ],
    )


def _open_runs() -> table.Panel:
    return sql_table(
        "What runs now",
        "The runs that have not ended, one by one, those in trouble first: what they work on, how far they are, and "
        "when they last gave a sign.",
        sql("overview_open_runs", *_CHOICE),
        [
            status_column("Status"),
            *(Column(name, width=115) for name in ("Equipment", "Lot", "Recipe", "Step", "Host")),
            progress_column("Progress"),
            *(Column(name, Seconds, 95) for name in ("Elapsed", "CPU time")),
            Column("Heartbeat age", Seconds, 125),
            Column("Memory", BytesIEC, 95),
        ],
        no_rows="Nothing runs now",
    )


def _runs_by_hour() -> timeseries.Panel:
    return charts.counts_by_status(
        "Runs per hour",
        "How many runs started in each hour, and what became of them. The legend sums them over the time range.",
        sql("overview_runs_by_hour", *_CHOICE, time_series=True),
    )


def _failures_by_equipment() -> barchart.Panel:
    return charts.category_by_status(
        "Failures by equipment",
        "The ten pieces of equipment with the most failed and lost runs that started in the time range.",
        sql("overview_failures_by_equipment", *_CHOICE),
        "equipment",
    )


def _durations() -> timeseries.Panel:
    return charts.lines(
        "Job duration by application",
        "Median and 95th percentile of the duration of the runs that ended in the hour before each moment, "
        "estimated from histogram buckets.",
        Seconds,
        *(
            promql(
                f"histogram_quantile({quantile}, "
                f"sum by (job, le) (rate(wafer_job_duration_seconds_bucket{{{_JOBS}}}[1h])))",
                legend=f"{{{{job}}}} p{quantile * 100:.0f}",
            )
            for quantile in (0.5, 0.95)
        ),
    )


def _errors() -> timeseries.Panel:
    return charts.lines(
        "Errors by job name",
        "About how many runs ended with an error in the hour before each moment, by the job's name.",
        Short,
        promql(
            f"sum by (wafer_job_name) (increase(wafer_job_errors_total{{{_JOBS}}}[1h]))",
            legend="{{wafer_job_name}}",
        ),
    )


def _host_cpu() -> timeseries.Panel:
    return charts.lines(
        "Host CPU busy",
        "The share of each host's CPU time that was not idle, over all cores. From the Collector's host metrics.",
        PercentUnit,
        promql(
            f'1 - avg by (host_name) (rate(system_cpu_time_seconds_total{{state="idle", {_HOSTS}}}[$__rate_interval]))',
            legend="{{host_name}}",
        ),
    ).max(1)


def _host_memory() -> timeseries.Panel:
    return charts.lines(
        "Host memory used",
        "The share of each host's memory that programs use; what the kernel caches is not counted. From the "
        "Collector's host metrics.",
        PercentUnit,
        promql(
            f'sum by (host_name) (system_memory_usage_bytes{{state="used", {_HOSTS}}})'
            f" / sum by (host_name) (system_memory_usage_bytes{{{_HOSTS}}})",
            legend="{{host_name}}",
        ),
    ).max(1)
