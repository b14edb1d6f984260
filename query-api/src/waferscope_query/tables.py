"""Answers as tables for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from waferscope_query.promql.text import series_text

_JOBS = ("NAME", "STATUS", "STARTED", "DURATION", "PEAK MEMORY", "LOT", "EQUIPMENT", "PROGRESS", "JOB ID")
_MINUTE, _HOUR = 60, 3600


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns, two blanks between them."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    )


def result(answer: Mapping[str, Any]) -> str:
    """Show Prometheus's answer to a query, with its warnings and infos."""
    data = answer["data"]
    notes = [f"{kind}: {text}" for kind in ("warnings", "infos") for text in answer.get(kind, ())]
    if data["resultType"] in {"scalar", "string"}:
        return "\n".join([data["result"][1], *notes])
    rows = [row for series in data["result"] for row in _points(series)]
    return "\n".join([table(("SERIES", "TIME", "VALUE"), rows) if rows else "no data", *notes])


def jobs(items: Sequence[Mapping[str, Any]]) -> str:
    """Show job runs."""
    return table(_JOBS, [_run(item) for item in items]) if items else "no job runs"


def _points(series: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    name = series_text(series["metric"])
    for moment, value in series.get("values") or [series["value"]]:
        yield name, _time(datetime.fromtimestamp(moment, UTC)), value


def _run(item: Mapping[str, Any]) -> tuple[str, ...]:
    peak, progress = item["memory_peak_bytes"], item["progress"]
    return (
        item["name"],
        item["status"],
        _time(datetime.fromisoformat(item["started_at"])),
        _duration(item["duration_s"]),
        "" if peak is None else f"{peak / 2**20:.0f} MiB",
        item["lot"] or "",
        item["equipment"] or "",
        "" if progress is None else f"{progress:.0%}",
        item["job_id"],
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if seconds < _HOUR:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // _HOUR} h {whole % _HOUR // 60} min"
