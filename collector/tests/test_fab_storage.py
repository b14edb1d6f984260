"""Announcements of equipment, carriers and deployments are stored once, whatever their order and grouping."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1 import logs_pb2
from writer_support import otlp
from writer_support.otlp import NOW, SECOND
from writer_support.running import WriterUnderTest, running

from waferscope_collector.decode.fab import EVENTS, STATES
from waferscope_schemas import semconv
from waferscope_schemas.database import connect

CHANGED, ARRIVED, DEPARTED = "wafer.equipment.state.changed", "wafer.carrier.arrived", "wafer.carrier.departed"
TABLES = ("equipment_state", "carrier_event", "deployment")


def state(value: str, second: int = 0, equipment: str = "LITHO-07", **more: Any) -> logs_pb2.LogRecord:
    known = {"wafer__equipment__id": equipment, "wafer__equipment__state": value}
    return otlp.event(CHANGED, NOW + second * SECOND, **known | more)


def carrier(name: str, second: int = 0, carrier: str = "FOUP-1", **more: Any) -> logs_pb2.LogRecord:
    known = {"wafer__carrier__id": carrier, "wafer__equipment__id": "LITHO-07"}
    return otlp.event(name, NOW + second * SECOND, **known | more)


def after(row: asyncpg.Record, column: str) -> float | None:
    """Tell a time of a row in seconds since NOW."""
    return None if row[column] is None else row[column].timestamp() - NOW / SECOND


def test_the_events_and_states_are_those_of_the_registry() -> None:
    registry = semconv.load()
    others = {event.name for event in registry.of("event") if not event.name.startswith("wafer.job.")}
    assert set(EVENTS) == others
    assert {member.value for member in registry.attributes["wafer.equipment.state"].members} == STATES


async def test_a_state_is_stored_with_all_that_was_said(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    said = {"wafer__module__id": "CH-A", "wafer__equipment__state_reason": "leak\0", "shift": "night"}
    await writer.send("logs", otlp.logs(state("UDT", **said)))
    (row,) = await conn.fetch("select * from wafer.equipment_states")
    assert (row["site"], row["equipment"], row["module"], row["state"]) == ("fab1", "LITHO-07", "CH-A", "UDT")
    assert (row["reason"], row["service"], row["host"], after(row, "start")) == ("leak�", "overlay", "tool7", 0)
    assert (row["trace_id"], row["span_id"]) == (bytes(range(16)).hex(), bytes(range(8)).hex())
    assert json.loads(row["attributes"]) == {"shift": "night"}
    assert await conn.fetchval("select count(*) from wafer.log_record") == 0


async def test_a_visit_is_stored_with_all_that_was_said(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    arrived = carrier(ARRIVED, wafer__load_port__id="LP1", wafer__lot__id="L1", robot="OHT-3")
    await writer.send("logs", otlp.logs(carrier(DEPARTED, 90, wafer__load_port__id="LP2"), arrived))
    (row,) = await conn.fetch("select * from wafer.carrier_visits")
    assert (row["site"], row["carrier"], row["equipment"]) == ("fab1", "FOUP-1", "LITHO-07")
    assert (row["load_port"], row["lot"], row["service"], row["host"]) == ("LP1", "L1", "overlay", "tool7")
    assert (after(row, "arrival"), after(row, "departure"), row["dwell_s"]) == (0, 90, 90)
    assert json.loads(row["attributes"]) == {"robot": "OHT-3"}


async def test_a_deployment_is_that_of_the_named_service_or_of_the_one_that_tells_it(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    own, other = {"service__version": "2.0"}, {"service__name": "recipes", "service__version": "3.1"}
    deployed = [otlp.event("wafer.deployment", NOW + i * SECOND, **more) for i, more in enumerate((own, other, {}))]
    await writer.send("logs", otlp.logs(*deployed, deployed[0]))
    rows = await conn.fetch("select site, service, version, host from wafer.deployments order by at")
    assert [tuple(row) for row in rows] == [
        ("fab1", "overlay", "2.0", "tool7"),
        ("fab1", "recipes", "3.1", "tool7"),
        ("fab1", "overlay", "1.2.0", "tool7"),
    ]


BAD = {
    "named wafer.equipment.state.changed without wafer.equipment.id": otlp.event(
        CHANGED, wafer__equipment__state="PRD"
    ),
    "named wafer.equipment.state.changed without a known wafer.equipment.state": state("productive"),
    "named wafer.carrier.arrived without wafer.carrier.id": otlp.event(ARRIVED, wafer__equipment__id="LITHO-07"),
    "named wafer.carrier.departed without wafer.equipment.id": otlp.event(DEPARTED, wafer__carrier__id="FOUP-1"),
    "named wafer.deployment without service.version": otlp.event("wafer.deployment", service__name="recipes"),
    "with an id or name over 512 bytes": state("PRD", equipment="x" * 513),
    "without a time": otlp.event(CHANGED, 0, wafer__equipment__id="LITHO-07", wafer__equipment__state="PRD"),
}


@pytest.mark.parametrize("reason", BAD)
async def test_a_bad_event_is_refused_alone_and_the_client_is_told_why(
    writer: WriterUnderTest, conn: asyncpg.Connection, reason: str
) -> None:
    response = await writer.send("logs", otlp.logs(state("SBY", 1), BAD[reason], carrier(ARRIVED, 1)))
    assert response.partial_success.rejected_log_records == 1
    assert response.partial_success.error_message == f"1 log records {reason}"
    counts = [await conn.fetchval(f"select count(*) from wafer.{table}") for table in TABLES]
    assert counts == [1, 1, 0]


async def test_of_two_states_for_one_instant_the_greater_stays_and_every_change_is_in_the_feed(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    seen = []
    for value, reason in (("ENG", "b"), ("ENG", "B"), ("ENG", "é"), ("UDT", ""), ("PRD", "z")):
        await writer.send("logs", otlp.logs(state(value, wafer__equipment__state_reason=reason)))
        seen.append(tuple(await conn.fetchrow("select state, reason, xid from wafer.equipment_state")))
    assert [row[:2] for row in seen] == [("ENG", "b"), ("ENG", "b"), ("ENG", "é"), ("UDT", ""), ("UDT", "")]
    assert len({row[2] for row in seen}) == 3


@st.composite
def _announcements(draw: st.DrawFn) -> list[logs_pb2.LogRecord]:
    """States of two modules and moves of two carriers, within few seconds so that they meet."""
    made = []
    for _ in range(draw(st.integers(1, 12))):
        second = draw(st.integers(0, 7))
        if draw(st.booleans()):
            more = {"wafer__module__id": "CH-A"} if draw(st.booleans()) else {}
            reason = draw(st.sampled_from(["", "a", "B"]))
            value = draw(st.sampled_from(["PRD", "SBY", "UDT"]))
            made.append(state(value, second, wafer__equipment__state_reason=reason, **more))
        else:
            name, whose = draw(st.sampled_from([ARRIVED, DEPARTED])), draw(st.sampled_from(["FOUP-1", "FOUP-2"]))
            lot = draw(st.sampled_from(["L1", "L2"]))
            made.append(carrier(name, second, whose, wafer__lot__id=lot))
    return made


Requests = list[list[logs_pb2.LogRecord]]


@st.composite
def _deliveries(draw: st.DrawFn) -> tuple[list[logs_pb2.LogRecord], Requests]:
    """Announcements, and the same shuffled, some repeated, cut into requests."""
    events = draw(_announcements())
    sent = draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=4))))
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    return events, [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True) if a < b]


def _said(event: logs_pb2.LogRecord) -> dict[str, str]:
    return {item.key: item.value.string_value for item in event.attributes}


def _second(event: logs_pb2.LogRecord) -> int:
    return (event.time_unix_nano - NOW) // SECOND


def expected_intervals(events: Sequence[logs_pb2.LogRecord]) -> set[tuple[Any, ...]]:
    """Tell the intervals by the rule: module, state, reason, start, end."""
    by_module: dict[str, dict[int, tuple[str, str]]] = defaultdict(dict)
    for event in events:
        if event.event_name == CHANGED:
            said, instants = _said(event), by_module[_said(event).get("wafer.module.id", "")]
            announced = (said["wafer.equipment.state"], said["wafer.equipment.state_reason"])
            instants[_second(event)] = max(announced, instants.get(_second(event), announced))
    found = set()
    for module, instants in by_module.items():
        runs = [list(run) for _, run in groupby(sorted(instants.items()), key=lambda item: item[1][0])]
        ends = [*(run[0][0] for run in runs[1:]), None]
        for run, end in zip(runs, ends, strict=True):
            start, (value, reason) = run[0]
            found.add((module, value, reason or None, start, end))
    return found


def expected_visits(events: Sequence[logs_pb2.LogRecord]) -> set[tuple[Any, ...]]:
    """Tell the visits by the rule: carrier, lot, arrival, departure."""
    moves: dict[tuple[str, int, str], str] = {}
    for event in events:
        if event.event_name != CHANGED:
            said = _said(event)
            key = (said["wafer.carrier.id"], _second(event), event.event_name)
            moves[key] = max(said["wafer.lot.id"], moves.get(key, ""))
    found, open_visits = set(), {}
    for (whose, second, name), lot in sorted(moves.items()):
        if name == ARRIVED:
            if whose in open_visits:
                found.add((whose, *open_visits[whose], None))
            open_visits[whose] = (lot, second)
        else:
            found.add((whose, *open_visits.pop(whose, (lot, None)), second))
    return found | {(whose, *visit, None) for whose, visit in open_visits.items()}


async def _views(conn: asyncpg.Connection) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    states = await conn.fetch("select * from wafer.equipment_states")
    visits = await conn.fetch("select * from wafer.carrier_visits")
    intervals = {(r["module"], r["state"], r["reason"], after(r, "start"), after(r, "end")) for r in states}
    stays = {(r["carrier"], r["lot"], after(r, "arrival"), after(r, "departure")) for r in visits}
    assert (len(intervals), len(stays)) == (len(states), len(visits))
    return intervals, stays


@given(_deliveries())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_two_writers_in_any_order_give_the_intervals_and_visits_of_the_rules(
    database_url: str, delivery: tuple[list[logs_pb2.LogRecord], Requests]
) -> None:
    events, requests = delivery

    async def stored() -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
        conn = await connect(database_url)
        await conn.execute("truncate wafer.equipment_state, wafer.carrier_event, wafer.ingest_batch cascade")
        async with running(database_url) as one, running(database_url) as other:
            writers = [(one, other)[number % 2] for number in range(len(requests))]
            sent = (w.send("logs", otlp.logs(*request)) for w, request in zip(writers, requests, strict=True))
            await asyncio.gather(*sent)
        found = await _views(conn)
        await conn.close()
        return found

    assert asyncio.run(stored()) == (expected_intervals(events), expected_visits(events))
