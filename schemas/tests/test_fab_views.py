"""Intervals and visits are derived by the rules of the design, and what they cost does not grow with the years."""

import re
from typing import Any

import asyncpg
import pytest

T0 = "timestamptz '2026-01-14 12:00+00'"


async def announce(conn: asyncpg.Connection, *states: tuple[int, str], module: str = "") -> None:
    """Store states of one tool, each with its time in seconds after noon."""
    for second, state in states:
        await conn.execute(
            "insert into wafer.equipment_state (site, equipment, module, at, state)"
            f" values ('fab1', 'ETCH-03', $1, {T0} + $2 * interval '1 second', $3)",
            *(module, second, state),
        )


async def move(conn: asyncpg.Connection, *moves: tuple[int, str], equipment: str = "ETCH-03") -> None:
    """Store moves of one carrier, each with its time in seconds after noon."""
    for second, event in moves:
        await conn.execute(
            "insert into wafer.carrier_event (site, carrier, equipment, at, event)"
            f" values ('fab1', 'FOUP-1', $1, {T0} + $2 * interval '1 second', $3)",
            *(equipment, second, event),
        )


async def intervals(conn: asyncpg.Connection) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in await conn.fetch(
            f"select module, state, extract(epoch from start - {T0})::int,"
            f' extract(epoch from "end" - {T0})::int from wafer.equipment_states order by module, start'
        )
    ]


async def visits(conn: asyncpg.Connection) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in await conn.fetch(
            f"select extract(epoch from arrival - {T0})::int, extract(epoch from departure - {T0})::int, dwell_s"
            " from wafer.carrier_visits order by coalesce(arrival, departure), departure"
        )
    ]


async def test_a_state_lasts_until_the_next_other_one_and_the_last_is_open(conn: asyncpg.Connection) -> None:
    await announce(conn, (0, "PRD"), (10, "SBY"), (25, "PRD"))
    assert await intervals(conn) == [("", "PRD", 0, 10), ("", "SBY", 10, 25), ("", "PRD", 25, None)]


async def test_repeats_of_a_state_are_one_interval_with_the_first_one_s_reason(conn: asyncpg.Connection) -> None:
    await announce(conn, (0, "UDT"), (5, "UDT"), (9, "UDT"), (12, "PRD"), (13, "PRD"))
    await conn.execute(f"update wafer.equipment_state set reason = 'later' where at > {T0}")
    assert await intervals(conn) == [("", "UDT", 0, 12), ("", "PRD", 12, None)]
    assert [row[0] for row in await conn.fetch("select reason from wafer.equipment_states order by start")] == [
        None,
        "later",
    ]


async def test_a_late_announcement_splits_the_interval_that_it_falls_into(conn: asyncpg.Connection) -> None:
    await announce(conn, (0, "PRD"), (20, "SBY"))
    await announce(conn, (10, "ENG"), (12, "PRD"))
    assert [row[1:] for row in await intervals(conn)] == [
        ("PRD", 0, 10),
        ("ENG", 10, 12),
        ("PRD", 12, 20),
        ("SBY", 20, None),
    ]


async def test_modules_have_intervals_of_their_own(conn: asyncpg.Connection) -> None:
    await announce(conn, (0, "PRD"), (20, "SBY"))
    await announce(conn, (10, "UDT"), module="CH-A")
    assert await intervals(conn) == [("", "PRD", 0, 20), ("", "SBY", 20, None), ("CH-A", "UDT", 10, None)]


async def test_an_open_interval_lasts_until_now_but_never_less_than_nothing(conn: asyncpg.Connection) -> None:
    query = (
        "insert into wafer.equipment_state (site, equipment, at, state)"
        " values ('s', $1, now() + $2 * interval '1 s', 'PRD')"
    )
    async with conn.transaction():  # now() stands still
        await conn.execute(query, "past", -60)
        await conn.execute(query, "future", 60)
        assert dict(await conn.fetch("select equipment, duration_s from wafer.equipment_states")) == {
            "past": 60,
            "future": 0,
        }


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([(0, "arrived"), (60, "departed")], [(0, 60, 60)]),
        ([(0, "arrived")], [(0, None, None)]),
        ([(60, "departed")], [(None, 60, None)]),
        ([(0, "arrived"), (30, "arrived"), (60, "departed")], [(0, None, None), (30, 60, 30)]),
        ([(0, "arrived"), (30, "departed"), (60, "departed")], [(0, 30, 30), (None, 60, None)]),
        ([(0, "arrived"), (0, "departed")], [(0, 0, 0)]),
    ],
)
async def test_an_arrival_belongs_with_the_departure_that_follows_before_the_next_arrival(
    conn: asyncpg.Connection, moves: list[tuple[int, str]], expected: list[tuple[Any, ...]]
) -> None:
    await move(conn, *moves[::-1])
    assert await visits(conn) == expected


async def test_a_departure_from_other_equipment_ends_no_visit(conn: asyncpg.Connection) -> None:
    await move(conn, (0, "arrived"))
    await move(conn, (60, "departed"), equipment="ETCH-04")
    assert await visits(conn) == [(0, None, None), (None, 60, None)]


async def _years(conn: asyncpg.Connection) -> None:
    """Store years of 40 tools and carriers, enough for the planner to mind."""
    await conn.execute(
        """
        insert into wafer.equipment_state (site, equipment, at, state)
        select 'fab1', 'E' || n % 40, now() - n * interval '1 h', case n % 3 when 0 then 'SBY' else 'PRD' end
        from generate_series(1, 40000) n;
        insert into wafer.carrier_event (site, carrier, equipment, at, event)
        select 'fab1', 'C' || n / 2 % 40, 'E1', now() - n * interval '1 h', (array['departed', 'arrived'])[1 + n % 2]
        from generate_series(1, 40000) n;
        analyze wafer.equipment_state, wafer.carrier_event
        """
    )


@pytest.mark.parametrize(
    "query",
    [
        "select * from wafer.equipment_states where start > now() - interval '1 day'",
        "select * from wafer.equipment_states where site = 'fab1' and equipment = 'E7'",
        "select * from wafer.equipment_states where equipment = 'E7' and start > now() - interval '1 year'",
        """select * from wafer.equipment_states where "end" is null""",
        "select * from wafer.carrier_visits where arrival > now() - interval '1 day'",
        "select * from wafer.carrier_visits where site = 'fab1' and carrier = 'C7'",
    ],
)
async def test_conditions_on_time_or_id_reach_the_indexes(conn: asyncpg.Connection, query: str) -> None:
    await _years(conn)
    plan = "\n".join(row[0] for row in await conn.fetch(f"explain (analyze, buffers off, timing off) {query}"))
    assert "Seq Scan" not in plan
    read = sum(float(rows) * int(loops) for rows, loops in re.findall(r"actual rows=([\d.]+) loops=(\d+)", plan))
    assert read < 20_000, plan  # a look at all of the 40,000 rows and their neighbours reads five times as many
