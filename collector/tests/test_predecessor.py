"""The predecessor's clients find its ingest endpoints as they knew them."""

import asyncio
import gzip
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from writer_support.running import WriterUnderTest, running

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
ONE, BATCH = "/v1/ingest/events", "/v1/ingest/events:batch"


def event(kind: str, second: float = 0, *, job: str = "J1", status: str = "running", **more: Any) -> dict[str, Any]:
    """Build an event as the predecessor's SDK sends it."""
    return {
        "idempotency_key": str(uuid.uuid4()),
        "site_id": "fab7",
        "app": {"app_id": "A1", "name": "overlay", "version": "1.2.0"},
        "entity": {"type": "job", "id": job, "parent_id": None, "business_key": "LOT-4711", "sub_key": None},
        "event": {
            "kind": kind,
            "at": (NOW + timedelta(seconds=second)).isoformat(),
            "metrics": {},
            "status": status,
            "metadata": {},
        }
        | more,
    }


LIFE = [
    event("started", metadata={"recipe": "M1"}),
    event("progress", 10, metadata={"done": 3}, metrics={"cpu_user_s": 1.5, "yield": 0.93}),
    event(
        "finished", 60, status="failed", metadata={"error": "no fit", "error_type": "FitError"},
        metrics={"duration_s": 59.5, "cpu_user_s": 7.5, "cpu_system_s": 0.25, "mem_max_mb": 93.5},
    ),
]  # fmt: skip


async def test_a_job_told_by_the_predecessors_events_is_a_job_run(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    async with writer.client() as client:
        for each in LIFE:
            response = await client.post(ONE, json=each)
            assert (response.status_code, response.json()["ok"]) == (200, True)
            assert response.json()["duration_s"] >= 0
        await client.post(ONE, json=event("started", 5, job="W07") | {
            "entity": {"type": "subjob", "id": "W07", "parent_id": "J1", "sub_key": "W07"}
        })  # fmt: skip
    run, sub = await conn.fetch("select * from wafer.jobs order by job_id")
    assert (run["site"], run["name"], run["service"], run["version"]) == ("fab7", "overlay", "overlay", "1.2.0")
    assert (run["status"], run["error_message"], run["error_type"]) == ("failed", "no fit", "FitError")
    assert (run["started_at"], run["ended_at"]) == (NOW, NOW + timedelta(seconds=60))
    assert (run["duration_s"], run["cpu_user_s"], run["cpu_system_s"]) == (59.5, 7.5, 0.25)
    assert run["memory_peak_bytes"] == 93.5 * 2**20
    assert (run["parent_job_id"], run["lot"]) == (None, None)  # a business key is never guessed to be a lot
    attributes = json.loads(run["attributes"])
    assert (attributes["wafer.job.key"], attributes["wafer.app.id"]) == ("LOT-4711", "A1")
    assert (sub["job_id"], sub["parent_job_id"], sub["heartbeat_interval"]) == ("W07", "J1", 3600)
    assert json.loads(sub["attributes"])["wafer.job.sub_key"] == "W07"
    told = [json.loads(row["attributes"]) for row in await conn.fetch("select * from wafer.job_events order by at")]
    assert (told[0]["recipe"], told[2]["done"], told[2]["yield"]) == ("M1", 3, 0.93)


@pytest.mark.parametrize("order", [LIFE, LIFE[::-1], [*LIFE, *LIFE[:2]]], ids=["in order", "backwards", "again"])
async def test_order_and_repetition_do_not_matter(
    writer: WriterUnderTest, conn: asyncpg.Connection, order: list[dict[str, Any]]
) -> None:
    async with writer.client() as client:
        for each in order:
            assert (await client.post(ONE, json=each)).status_code == 200
    run = await conn.fetchrow("select * from wafer.jobs")
    assert (run["status"], run["started_at"], run["duration_s"]) == ("failed", NOW, 59.5)
    assert await conn.fetchval("select count(*) from wafer.job_event") == 3


@pytest.mark.parametrize(
    ("kind", "status", "shown"),
    [
        ("finished", "succeeded", "succeeded"),
        ("finished", "failed", "failed"),
        ("finished", "canceled", "canceled"),
        ("finished", "running", "succeeded"),
        ("error", "failed", "failed"),
        ("canceled", "canceled", "canceled"),
        ("metric", "running", "running"),
    ],
)
async def test_kinds_and_states(
    writer: WriterUnderTest, conn: asyncpg.Connection, kind: str, status: str, shown: str
) -> None:
    async with writer.client() as client:
        response = await client.post(BATCH, json=[event("started"), event(kind, status=status)])  # at one instant
    assert response.json() == {"ok": True, "total": 2, "success": 2, "failed": 0}
    row = await conn.fetchrow("select status, duration_s from wafer.jobs")
    assert tuple(row) == (shown, 0)


async def test_a_repeated_key_changes_nothing_whatever_comes_with_it(
    database_url: str, conn: asyncpg.Connection
) -> None:
    first = event("started")
    others = [first | {"event": event("finished", second, status="failed")["event"]} for second in range(8)]
    elsewhere = first | {"site_id": "fab8"}
    async with running(database_url) as one, running(database_url) as two, one.client() as a, two.client() as b:
        assert (await a.post(ONE, json=first)).status_code == 200
        answers = await asyncio.gather(
            *(client.post(ONE, json=other) for client in (a, b) for other in others),
            b.post(BATCH, json=[elsewhere, *others]),
        )
        assert {answer.status_code for answer in answers} == {200}
    rows = await conn.fetch("select site, status from wafer.jobs order by site")
    assert [tuple(row) for row in rows] == [("fab7", "running"), ("fab8", "running")]
    assert await conn.fetchval("select count(*) from wafer.job_event") == 2


BAD = {
    "no time": ({"event": {"kind": "started"}}, "at"),
    "unreadable time": ({"event": {"kind": "started", "at": "yesterday"}}, "event.at must be a time"),
    "a day ahead": ({"event": {"kind": "started", "at": "2200-01-01T00:00:00Z"}}, "in the future"),
    "before time": ({"event": {"kind": "started", "at": "0001-01-01T00:00:00+14:00"}}, "after 1970"),
    "unknown kind": ({"event": {"kind": "paused", "at": NOW.isoformat()}}, "kind"),
    "no key": ({"idempotency_key": ""}, "idempotency_key"),
    "long key": ({"idempotency_key": "k" * 513}, "idempotency_key"),
    "no number": ({"event": event("progress", metrics={"cpu_user_s": "fast"})["event"]}, "metrics.cpu_user_s"),
    "huge number": ({"event": event("progress", metrics={"mem_max_mb": 10**400})["event"]}, "metrics.mem_max_mb"),
    "no id": ({"entity": {"type": "job", "id": ""}}, "wafer.job.id"),
    "long id": ({"entity": {"type": "job", "id": "x" * 513}}, "512 bytes"),
    "unknown type": ({"entity": {"type": "lot", "id": "x"}}, "entity.type"),
    "no site": ({"site_id": None}, "site_id"),
}


@pytest.mark.parametrize(("change", "told"), BAD.values(), ids=BAD)
async def test_a_bad_event_is_422_alone_and_counted_in_a_batch(
    writer: WriterUnderTest, conn: asyncpg.Connection, *, change: dict[str, Any], told: str
) -> None:
    bad = event("started") | change
    async with writer.client() as client:
        response = await client.post(ONE, json=bad)
        assert response.status_code == 422
        assert told in response.json()["detail"]
        response = await client.post(BATCH, json=[event("started"), bad, event("progress", 1)])
    answer = response.json()
    assert response.status_code == 200
    assert (answer["ok"], answer["total"], answer["success"], answer["failed"]) == (True, 3, 2, 1)
    assert [error["index"] for error in answer["errors"]] == [1]
    assert told in answer["errors"][0]["detail"]
    assert await conn.fetchval("select count(*) from wafer.job_event") == 2


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (ONE, b"{", 422),
        (ONE, b"[]", 422),
        (BATCH, b"{}", 422),
        (BATCH, b"[" * 100_000, 422),
        (BATCH, b"[" + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]", 200),
        (BATCH, b'["\xff"]', 200),
        (BATCH, b"[]", 200),
        (ONE, bytes(2 * 1024 * 1024), 413),
    ],
)
async def test_bodies_that_are_no_events(writer: WriterUnderTest, path: str, body: bytes, code: int) -> None:
    async with writer.client() as client:
        response = await client.post(path, content=body)
    assert response.status_code == code, response.text
    assert code == 200 or response.json()["detail"]


async def test_a_compressed_batch_and_times_without_a_zone(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    naive = event("started") | {"event": {"kind": "started", "at": NOW.replace(tzinfo=None).isoformat()}}
    async with writer.client() as client:
        body = gzip.compress(json.dumps([naive]).encode())
        response = await client.post(BATCH, content=body, headers={"content-encoding": "gzip"})
    assert response.json()["success"] == 1
    assert await conn.fetchval("select started_at from wafer.jobs") == NOW


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(_JSON, _JSON, _JSON), min_size=20, max_size=20))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_an_event_holds_it_is_stored_or_refused_alone(
    database_url: str, examples: list[tuple[Any, Any, Any]]
) -> None:
    events = []
    for number, (metadata, metrics, text) in enumerate(examples):
        own = event("progress", number, job=str(number))
        own["event"]["metadata"] = metadata if number % 2 else {"a": metadata, str(text): text, "\0": "\0"}
        own["event"]["metrics"] = {"x": metrics}
        own["app"]["name"] = own["entity"]["business_key"] = text if number % 3 == 0 else str(text)[:9]
        events.append(own)

    async def post() -> None:
        async with running(database_url) as writer, writer.client() as client:
            response = await client.post(BATCH, json=events)
            assert response.status_code == 200, response.text
            assert response.json()["success"] >= 10 - 7

    asyncio.run(post())
