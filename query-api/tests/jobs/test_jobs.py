"""Job runs over HTTP: the predecessor's shape, and everything about one job."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import waferscope

from waferscope_schemas.partitioning import ensure

if TYPE_CHECKING:
    from conftest import Service, Writer

PREDECESSOR = {
    *("job_id", "app_id", "site_id", "job_key", "status", "started_at", "ended_at", "duration_s", "cpu_user_s"),
    *("cpu_system_s", "mem_max_mb", "metadata", "inserted_at", "app_name", "app_version"),
}
RUN = {
    "site": "fab1",
    "attempt": 1,
    "name": "overlay",
    "service": "metrology",
    "version": "1.2.0",
    "host": "host-1",
    "sequence": 3,
    "clock_offset": 0.0,
}


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


async def run(served: Writer, *, ago_s: float = 60.0, **columns: Any) -> str:
    """Write a run that began some seconds ago; it lives until it has a result."""
    now = datetime.now(UTC)
    row = {
        **RUN,
        "job_id": unique("job"),
        "started_at": now - timedelta(seconds=ago_s),
        "heartbeat_at": now,
        **columns,
    }
    row.setdefault("heard_at", row["heartbeat_at"])
    marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await served.connection.execute(
        f"insert into wafer.job_run ({', '.join(row)}) values ({marks})",
        *row.values(),  # names are this file's
    )
    return row["job_id"]


async def ended(served: Writer, **columns: Any) -> str:
    """Write a run that has ended well."""
    return await run(served, **{"result": "success", "duration_s": 42.5, "ended_at": datetime.now(UTC), **columns})


def listed(service: Service, path: str = "jobs", **parameters: Any) -> list[dict[str, Any]]:
    answer = service.http.get(f"/v1/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"items", "count", "duration_s"}
    assert body["count"] == len(body["items"])
    return body["items"]


async def test_an_item_has_the_predecessor_s_keys_and_ours(service: Service, served: Writer) -> None:
    name = unique("overlay")
    job_id = await ended(
        served,
        name=name,
        lot="LOT-1",
        equipment="SCAN-1",
        memory_peak_bytes=93 << 20,
        progress_done=3.0,
        progress_total=4.0,
        trace_id=bytes(15) + b"\x01",
        attributes=json.dumps({"layer": "M1"}),
    )
    (item,) = listed(service, app_name=name)
    assert set(item) >= PREDECESSOR
    assert (item["job_id"], item["site_id"], item["status"], item["result"]) == (job_id, "fab1", "succeeded", "success")
    assert (item["app_name"], item["app_version"], item["name"]) == ("metrology", "1.2.0", name)
    assert (item["mem_max_mb"], item["progress"], item["metadata"]) == (93.0, 0.75, {"layer": "M1"})
    assert (item["lot"], item["equipment"], item["duration_s"]) == ("LOT-1", "SCAN-1", 42.5)
    assert item["trace_id"] == "0" * 31 + "1"


KEYS = {"wafer.app.id": "app-1", "wafer.job.key": "LOT-4711", "wafer.job.sub_key": "W07"}


async def test_items_show_the_keys_that_the_predecessor_s_jobs_bring_and_metadata_does_not_repeat_them(
    service: Service, served: Writer
) -> None:
    name = unique("keys")
    parent = await ended(served, name=name, attributes=json.dumps({**KEYS, "layer": "M1", "big": 2**63 - 1}))
    child = await ended(served, name=name, parent_job_id=parent, attributes=json.dumps({**KEYS, "layer": None}))
    (job,) = listed(service, app_name=name)
    assert (job["app_id"], job["job_key"], job["metadata"]) == ("app-1", "LOT-4711", {"layer": "M1", "big": 2**63 - 1})
    subjob = next(item for item in listed(service, "subjobs") if item["subjob_id"] == child)
    assert (subjob["app_id"], subjob["sub_key"], subjob["metadata"]) == ("app-1", "W07", {"layer": None})


async def test_a_job_without_the_predecessor_s_keys_shows_them_as_null(service: Service, served: Writer) -> None:
    name = unique("plain")
    await ended(served, name=name)
    (item,) = listed(service, app_name=name)
    assert (item["app_id"], item["job_key"], item["metadata"]) == (None, None, {})


async def test_runs_are_listed_newest_first_and_filtered(service: Service, served: Writer) -> None:
    name = unique("filter")
    old = await ended(served, name=f"{name}-a", ago_s=7200)
    failed = await ended(served, name=f"{name}-a", ago_s=600, result="failure")
    running = await run(served, name=f"{name}-b", ago_s=60)
    silent = await run(served, name=f"{name}-b", ago_s=120, heartbeat_at=datetime.now(UTC) - timedelta(seconds=100))

    def ids(**parameters: Any) -> list[str]:
        return [item["job_id"] for item in listed(service, **{"app_name": name.upper(), **parameters})]

    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert ids() == [running, silent, failed, old]
    assert ids(limit=2) == [running, silent]
    assert ids(status="running") == [running]
    assert ids(status="stale,failed") == [silent, failed]
    assert ids(**{"from": hour_ago.isoformat()}) == [running, silent, failed]
    assert ids(to=hour_ago.replace(tzinfo=None).isoformat()) == [old]
    assert ids(to=hour_ago.timestamp()) == [old]
    assert ids(app_name=f"{name}-b") == [running, silent]
    assert ids(app_name="%") == []


async def test_nested_runs_are_subjobs(service: Service, served: Writer) -> None:
    parent = await run(served)
    child = await ended(served, parent_job_id=parent, name="step")
    assert child not in [item["job_id"] for item in listed(service)]
    item = next(item for item in listed(service, "subjobs") if item["subjob_id"] == child)
    assert item["job_id"] == parent
    assert "sub_key" in item
    assert not {"job_key", "app_name", "app_version"} & set(item)
    assert [subjob["subjob_id"] for subjob in service.http.get(f"/v1/jobs/{parent}").json()["subjobs"]] == [child]


async def test_a_job_shows_its_attempts_with_steps_events_and_logs(service: Service, served: Writer) -> None:
    job_id = await ended(served, result="failure", ago_s=300, ended_at=datetime.now(UTC) - timedelta(seconds=200))
    await run(served, job_id=job_id, attempt=2, ago_s=100, trace_id=b"\x02" * 16)
    now = datetime.now(UTC)
    at = [now - timedelta(seconds=seconds) for seconds in (290, 95, 90)]
    for table in ("job_event", "log_record"):
        await ensure(served.connection, table, at)
    await served.connection.execute(
        "insert into wafer.step_run (site, job_id, attempt, span_id, name, index, result, started_at, ended_at,"
        " duration_s, trace_id) values ('fab1', $1, 2, '\\x01', 'fit', 0, 'success', $2, $3, 5, $4)",
        *(job_id, at[1], at[2], b"\x02" * 16),
    )
    for attempt, sequence, moment, name in (
        (2, 1, at[2], "wafer.job.heartbeat"),
        (2, 0, at[1], "wafer.job.started"),
        (1, 0, at[0], "wafer.job.started"),
    ):
        await served.connection.execute(
            "insert into wafer.job_event (site, job_id, attempt, sequence, at, name)"
            " values ('fab1', $1, $2, $3, $4, $5)",
            *(job_id, attempt, sequence, moment, name),
        )
    for moment, body, trace, attributes in (
        (at[0], "first try", None, {}),
        (at[2], "by trace", b"\x02" * 16, {}),
        (at[2], "by number", None, {"wafer.job.attempt": 1}),
    ):
        await served.connection.execute(
            "insert into wafer.log_record (ts, body, trace_id, job_id, attributes) values ($1, $2, $3, $4, $5)",
            *(moment, json.dumps(body), trace, job_id, json.dumps(attributes)),
        )
    job = service.http.get(f"/v1/jobs/{job_id}").json()
    first, second = job["attempts"]
    assert (job["job_id"], first["attempt"], first["status"]) == (job_id, 1, "failed")
    assert (second["attempt"], second["status"]) == (2, "running")
    assert [step["name"] for step in second["steps"]] == ["fit"]
    assert [event["name"] for event in first["events"]] == ["wafer.job.started"]
    assert [event["sequence"] for event in second["events"]] == [0, 1]
    assert [log["body"] for log in first["logs"]] == ["first try", "by number"]
    assert [log["body"] for log in second["logs"]] == ["by trace"]


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("jobs?limit=0", 422, "limit"),
        ("jobs?limit=x", 422, "limit"),
        ("jobs?from=yesterday", 422, "from"),
        ("jobs?to=0001-01-01T00:00:00%2B14:00", 422, "to"),
        ("jobs?status=running,dead", 422, "status"),
        ("jobs?app_name=%00", 422, "app_name"),
        ("subjobs?limit=99999", 422, "limit"),
        ("jobs/no-such-job", 404, None),
        ("jobs/%00", 404, None),
        ("nothing", 404, None),
    ],
)
def test_errors_are_problem_details(service: Service, path: str, status: int, parameter: str | None) -> None:
    answer = service.http.get(f"/v1/{path}")
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["type"]) == (status, status, "about:blank")
    assert body["title"]
    assert body["detail"]
    assert [error["parameter"] for error in body.get("errors", [])] == ([parameter] if parameter else [])


def test_a_wrong_method_is_a_problem(service: Service) -> None:
    assert service.http.post("/v1/jobs").status_code == 405


def test_bad_filters_are_never_a_fault_of_ours(service: Service) -> None:
    dice = random.Random(5)
    names = ["from", "to", "status", "app_name", "limit"]
    words = ["9" * 30, "-1", "1e9", "\x00", "é", "running", ",", "2026-13-01", "9999-12-31T23:59:59-23:59", "inf"]
    for _ in range(150):
        fields = {name: "".join(dice.choices(words, k=dice.randint(0, 2))) for name in names}
        answer = service.http.get(dice.choice(["/v1/jobs", "/v1/subjobs"]), params=fields)
        assert answer.status_code in {200, 422}, (fields, answer.text)


async def test_the_commands_print_tables(service: Service, served: Writer) -> None:
    name = unique("table")
    await ended(served, name=name, lot="LOT-7", memory_peak_bytes=3 << 20, ago_s=0)
    await served.gauge("overlay_nm", (1_800_000_000_000, 1.5), tool="a")

    def output(*arguments: str) -> str:
        with waferscope(*arguments, "--url", service.url) as process:
            assert process.wait_exit() == 0, process.report()
            return process.stdout

    head, row = output("jobs", "--name", name).splitlines()
    titles = ["NAME", "STATUS", "STARTED", "DURATION", "PEAK MEMORY", "LOT", "EQUIPMENT", "PROGRESS", "JOB ID"]
    assert head.split() == " ".join(titles).split()
    assert row.split()[:2] == [name, "succeeded"]
    assert "42.50 s" in row
    assert "3 MiB" in row
    assert json.loads(output("jobs", "--name", name, "--json"))["count"] == 1
    asked = output("query", "overlay_nm", "--time", "1800000000").splitlines()
    assert asked[1].split() == ['overlay_nm{tool="a"}', "2027-01-15", "08:00:00Z", "1.5"]
    with waferscope("query", "sum(", "--url", service.url) as process:
        assert process.wait_exit() == 1
        assert process.stderr.startswith("waferscope: ")
        assert "parse error" in process.stderr
