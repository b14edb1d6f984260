"""What the demo shows: job runs, PromQL answers, and SQL that joins the two."""

import json
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any

import asyncpg

from waferscope_schemas import queries
from waferscope_stack.stack import Stack, without_password
from waferscope_stack.table import table

_SQL = queries.load("waferscope_stack")

ENDED = "sum by (wafer_job_name, wafer_job_result) (wafer_job_duration_seconds_count)"
SLOWEST = "histogram_quantile(0.95, sum by (le, wafer_job_name) (wafer_job_duration_seconds_bucket))"
MIB = 1024 * 1024
NOTHING = "-"


async def missing(stack: Stack, started: datetime, runs: int) -> str:
    """Tell what doesn't answer yet.

    Args:
        stack: The stack.
        started: When the sample jobs began.
        runs: How many of them there are.

    Returns:
        What is missing, in words; empty once all of it answers.
    """
    connection = await asyncpg.connect(stack.database_url)
    try:
        row = await connection.fetchrow(_SQL["unfinished_jobs"], started)
    finally:
        await connection.close()
    assert row is not None, "an aggregate has a row"
    if row["runs"] < runs or row["unfinished"]:
        return f"{runs} job runs ({row['runs']} there, {row['unfinished']} of them without an end)"
    return "" if _promql(stack, ENDED) and _promql(stack, SLOWEST) else "PromQL over the jobs' metrics"


async def report(stack: Stack, receiver: str) -> str:
    """Ask the stack what a person wants to see.

    Args:
        stack: The stack.
        receiver: URL of what the jobs sent their telemetry to.

    Returns:
        Text of several tables.
    """
    connection = await asyncpg.connect(stack.database_url)
    try:
        runs = await connection.fetch(_SQL["job_runs"])
        cpu = await connection.fetch(_SQL["cpu_by_job_and_equipment"])
    finally:
        await connection.close()
    return "\n\n".join(
        [
            "\nJob runs, newest first (SQL view wafer.jobs)\n" + _runs(runs),
            f"PromQL: {ENDED}\n" + _answer(stack, ENDED, ("wafer_job_name", "wafer_job_result"), "runs"),
            f"PromQL: {SLOWEST}\n" + _answer(stack, SLOWEST, ("wafer_job_name",), "seconds"),
            "SQL: job runs joined with their CPU time in wafer.metrics\n" + _cpu(cpu),
            _addresses(stack, receiver),
        ]
    )


def _runs(rows: list[asyncpg.Record]) -> str:
    headers = ("job", "state", "duration s", "peak memory MiB", "lot", "equipment", "error")
    cells = [
        (
            row["name"],
            row["status"],
            _number(row["duration_s"], 2),
            _number(row["memory_peak_bytes"] and row["memory_peak_bytes"] / MIB, 1),
            row["lot"] or NOTHING,
            row["equipment"] or NOTHING,
            row["error_type"] or "",
        )
        for row in rows
    ]
    return table(headers, cells)


def _cpu(rows: list[asyncpg.Record]) -> str:
    headers = ("job", "equipment", "runs", "failed", "mean duration s", "CPU s")
    cells = [
        (
            row["name"],
            row["equipment"] or NOTHING,
            str(row["runs"]),
            str(row["failed"]),
            _number(row["mean_duration_s"], 2),
            _number(row["cpu_s"], 2),
        )
        for row in rows
    ]
    return table(headers, cells)


def _answer(stack: Stack, expression: str, labels: tuple[str, ...], value: str) -> str:
    results = _promql(stack, expression)
    cells = [
        (*(result["metric"].get(label, NOTHING) for label in labels), f"{float(result['value'][1]):.4g}")
        for result in results
    ]
    return table((*labels, value), sorted(cells))


def _addresses(stack: Stack, receiver: str) -> str:
    where = stack.endpoints
    embedded = "" if where.database_port is None else " (password: waferscope.password in the data folder)"
    return "\n".join(
        [
            f"Prometheus API  {where.query}/api/v1/query?query={urllib.parse.quote(ENDED)}",
            f"Jobs            {where.query}/v1/jobs",
            f"API reference   {where.query}/docs",
            f"OTLP            {receiver}",
            f"SQL             {without_password(stack.database_url)}{embedded}",
        ]
    )


def _promql(stack: Stack, expression: str) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{stack.endpoints.query}/api/v1/query?{query}", timeout=30) as answer:  # noqa: S310 - our own URL
        results: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return results


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"
