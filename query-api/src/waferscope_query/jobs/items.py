"""Job runs as JSON items: the predecessor's keys, then ours."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from asyncpg import Record as Row

_BYTES_PER_MB = 1024 * 1024  # the predecessor's megabyte
_OURS = (
    *("name", "attempt", "parent_job_id", "service", "host", "result"),
    *("lot", "carrier", "substrate", "equipment", "module", "recipe", "recipe_version", "operation"),
    *("progress_done", "progress_total", "step_name", "step_index", "memory_bytes", "memory_peak_bytes"),
    *("error_type", "error_message", "trace_id", "span_id"),
    *("heartbeat_at", "heartbeat_interval", "heartbeat_age_s", "clock_offset"),
)
_ATTEMPT = "wafer.job.attempt"
_APP_ID, _JOB_KEY, _SUB_KEY = (
    "wafer.app.id",
    "wafer.job.key",
    "wafer.job.sub_key",
)  # the predecessor's; few jobs have them


def job_item(row: Row) -> dict[str, Any]:
    """Show a run as an item of `/v1/jobs`."""
    attributes = _attributes(row)
    return {
        "job_id": row["job_id"],
        "app_id": attributes.get(_APP_ID),
        "site_id": row["site"],
        "job_key": attributes.get(_JOB_KEY),
        **_measured(row),
        "metadata": _metadata(attributes),
        "app_name": row["service"] or row["name"],
        "app_version": row["version"],
        **_own(row),
    }


def subjob_item(row: Row) -> dict[str, Any]:
    """Show a nested run as an item of `/v1/subjobs`; `job_id` is its parent."""
    attributes = _attributes(row)
    return {
        "subjob_id": row["job_id"],
        "job_id": row["parent_job_id"],
        "app_id": attributes.get(_APP_ID),
        "site_id": row["site"],
        "sub_key": attributes.get(_SUB_KEY),
        **_measured(row),
        "metadata": _metadata(attributes),
        **_own(row),
    }


def _measured(row: Row) -> dict[str, Any]:
    peak = row["memory_peak_bytes"]
    return {
        "status": row["status"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "duration_s": row["duration_s"],
        "cpu_user_s": row["cpu_user_s"],
        "cpu_system_s": row["cpu_system_s"],
        "mem_max_mb": None if peak is None else peak / _BYTES_PER_MB,
        "inserted_at": row["inserted_at"],
    }


def _attributes(row: Row) -> dict[str, msgspec.Raw]:
    """Read what the author added, each value as the database wrote it."""
    return msgspec.json.decode(row["attributes"], type=dict[str, msgspec.Raw])


def _metadata(attributes: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """Leave out what an item shows by keys of its own."""
    return {key: value for key, value in attributes.items() if key not in {_APP_ID, _JOB_KEY, _SUB_KEY}}


def _own(row: Row) -> dict[str, Any]:
    done, total = row["progress_done"], row["progress_total"]
    return {**{name: row[name] for name in _OURS}, "progress": done / total if total and done is not None else None}


def job_detail(
    attempts: Sequence[Row], subjobs: Sequence[Row], steps: Sequence[Row], events: Sequence[Row], logs: Sequence[Row]
) -> dict[str, Any]:
    """Show a job with all its attempts, each with its steps, events and log lines, oldest first."""
    shown = [{**job_item(row), "steps": [], "events": [], "logs": []} for row in attempts]
    by_attempt = {(row["site_id"], row["attempt"]): row for row in shown}
    for key, rows in (("steps", steps), ("events", events[::-1])):
        for row in rows:
            attempt = by_attempt.get((row["site"], row["attempt"]))
            if attempt is not None:
                attempt[key].append(_plain(row))
    for row in logs[::-1]:
        _attempt_of(row, shown)["logs"].append(_plain(row))
    return {"job_id": shown[0]["job_id"], "attempts": shown, "subjobs": [subjob_item(row) for row in subjobs]}


def _attempt_of(log: Row, attempts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Find the attempt that wrote a log line: by number, by trace, else the last that had begun."""
    number = msgspec.json.decode(log["attributes"]).get(_ATTEMPT)
    for known in attempts:
        if known["attempt"] == number:
            return known
    same_trace = [known for known in attempts if log["trace_id"] and known["trace_id"] == log["trace_id"]]
    begun = [known for known in same_trace or attempts if known["started_at"] <= log["ts"]]
    return (begun or same_trace or attempts)[-1 if begun else 0]


def _plain(row: Row) -> dict[str, Any]:
    return {
        name: _json(value) if name in {"attributes", "body"} else value
        for name, value in row.items()
        if name not in {"site", "job_id", "resource"}
    }


def _json(text: str | None) -> Any:
    """Pass JSON on as the database wrote it."""
    return None if text is None else msgspec.Raw(text)
