"""The change feed misses nothing and repeats nothing, in whatever order transactions begin and end."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterable

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from waferscope_schemas.database import connect
from waferscope_schemas.feed import Feed, current_snapshot

FEED = Feed("series", ("metric", "help"))
FED_TABLES = (
    *("series", "ingest_hour", "job_run", "step_run", "job_event"),
    *("equipment_state", "carrier_event", "deployment", "deletion"),
    *("rollup_5m", "rollup_1h", "rollup_5m_histogram", "rollup_1h_histogram"),
)

INSERT = "insert into wafer.series (fingerprint, metric, labels, kind, help) values ($1, $2, '{}', 'gauge', '0')"
UPDATE = "update wafer.series set help = $2, xid = pg_current_xact_id() where metric = $1"


async def insert(conn: asyncpg.Connection, metric: str) -> None:
    await conn.execute(INSERT, metric.encode(), metric)


def told(rows: Iterable[asyncpg.Record]) -> dict[str, str]:
    """The rows by key, after checking that none came twice."""
    rows = list(rows)
    found = {row["metric"]: row["help"] for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture
async def conns(database_url: str) -> AsyncIterator[list[asyncpg.Connection]]:
    async with contextlib.AsyncExitStack() as stack:
        found = [await connect(database_url) for _ in range(4)]
        for conn in found:
            stack.push_async_callback(conn.close)
        yield found


async def test_a_row_of_an_earlier_transaction_that_commits_later_is_not_missed(
    conns: list[asyncpg.Connection],
) -> None:
    early, late, reader, _ = conns
    snapshot = await current_snapshot(reader)
    slow = early.transaction()
    await slow.start()
    await insert(early, "slow")
    await insert(late, "fast")
    snapshot, rows = await FEED.poll(reader, snapshot)
    assert told(rows) == {"fast": "0"}
    await slow.commit()
    snapshot, rows = await FEED.poll(reader, snapshot)
    assert told(rows) == {"slow": "0"}
    assert (await FEED.poll(reader, snapshot))[1] == []


async def test_an_updated_row_comes_again_as_it_is_now(conns: list[asyncpg.Connection]) -> None:
    writer, _, reader, _ = conns
    await insert(writer, "a")
    snapshot, rows = await FEED.poll(reader, None)
    assert told(rows) == {"a": "0"}
    await writer.execute(UPDATE, "a", "1")
    await writer.execute(UPDATE, "a", "2")
    snapshot, rows = await FEED.poll(reader, snapshot)
    assert told(rows) == {"a": "2"}


async def test_what_is_rolled_back_is_never_told(conns: list[asyncpg.Connection]) -> None:
    writer, _, reader, _ = conns
    snapshot = await current_snapshot(reader)
    transaction = writer.transaction()
    await transaction.start()
    await insert(writer, "a")
    await transaction.rollback()
    assert (await FEED.poll(reader, snapshot))[1] == []


async def test_an_empty_table_gives_a_snapshot_to_begin_with(conns: list[asyncpg.Connection]) -> None:
    snapshot, rows = await FEED.poll(conns[2], None)
    assert rows == []
    await insert(conns[0], "a")
    assert told((await FEED.poll(conns[2], snapshot))[1]) == {"a": "0"}


class Model:
    """Writers with open transactions over keys of their own, and what a reader must be told."""

    def __init__(self, writers: list[asyncpg.Connection]) -> None:
        self.writers = writers
        self.open: dict[int, tuple[Transaction, dict[str, str]]] = {}
        self.stored: dict[str, str] = {}
        self.untold: dict[str, str] = {}

    async def write(self, number: int, *, savepoint: bool) -> None:
        """Insert or update a key of this writer; in a subtransaction if asked."""
        conn = self.writers[number]
        if number not in self.open:
            self.open[number] = (conn.transaction(), {})
            await self.open[number][0].start()
        changes = self.open[number][1]
        key = f"{number}.{random.randrange(3)}"
        known = self.stored | changes
        async with conn.transaction() if savepoint else contextlib.nullcontext():
            if key in known:
                changes[key] = str(int(known[key]) + 1)
                await conn.execute(UPDATE, key, changes[key])
            else:
                changes[key] = "0"
                await insert(conn, key)

    async def end(self, number: int, *, commit: bool) -> None:
        """End a writer's transaction."""
        if found := self.open.pop(number, None):
            transaction, changes = found
            await (transaction.commit() if commit else transaction.rollback())
            if commit:
                self.stored |= changes
                self.untold |= changes


@pytest.mark.parametrize("seed", range(4))
async def test_each_poll_tells_exactly_what_was_committed_since_the_last(
    conns: list[asyncpg.Connection], seed: int
) -> None:
    random.seed(seed)
    *writers, reader = conns
    model, snapshot = Model(writers), None
    for _ in range(120):
        number = random.randrange(len(writers))
        match random.choices(("write", "commit", "rollback", "poll"), (5, 3, 1, 3))[0]:
            case "write":
                await model.write(number, savepoint=random.random() < 0.3)
            case "poll":
                snapshot, rows = await FEED.poll(reader, snapshot)
                assert told(rows) == model.untold
                model.untold = {}
            case ending:
                await model.end(number, commit=ending == "commit")


async def test_readers_beside_concurrent_writers_follow_every_row_once(conns: list[asyncpg.Connection]) -> None:
    *writers, reader = conns
    seen: list[tuple[str, str]] = []
    written: dict[str, str] = {}
    snapshot = await current_snapshot(reader)

    async def write(number: int) -> None:
        conn, dice = writers[number], random.Random(number)
        for turn in range(60):
            async with conn.transaction():
                await insert(conn, f"{number}.{turn}")
                shared = f"{number}.{dice.randrange(turn + 1)}"
                await conn.execute(UPDATE, shared, str(turn))
                await asyncio.sleep(dice.random() / 500)
            written[f"{number}.{turn}"] = written.get(f"{number}.{turn}", "0")
            written[shared] = str(turn)

    writing = asyncio.gather(*(write(number) for number in range(len(writers))))
    done = False
    while not done:
        done = writing.done()
        snapshot, rows = await FEED.poll(reader, snapshot)
        seen += told(rows).items()
    await writing
    assert len(seen) == len(set(seen))
    assert dict(seen) == written


async def test_a_table_of_the_feed_has_an_indexed_xid_that_is_set_by_default(conn: asyncpg.Connection) -> None:
    defaults = await conn.fetch(
        "select table_name, column_default from information_schema.columns"
        " where table_schema = 'wafer' and column_name = 'xid' and data_type = 'xid8'"
    )
    indexed = await conn.fetch(
        "select tablename from pg_indexes where schemaname = 'wafer' and indexdef ~ '[(]xid[)]$'"
    )
    assert dict(defaults) == dict.fromkeys(FED_TABLES, "pg_current_xact_id()")
    assert {row["tablename"] for row in indexed} == set(FED_TABLES)


async def test_a_poll_reads_by_the_index(conn: asyncpg.Connection) -> None:
    await conn.execute(
        "insert into wafer.series (fingerprint, metric, labels, kind, xid)"
        " select n::text::bytea, n::text, '{}', 'gauge', (n % 500)::text::xid8 from generate_series(1, 5000) n"
    )
    await conn.execute("analyze wafer.series")
    snapshot = await current_snapshot(conn)
    plan = await conn.fetch(f"explain {FEED._since.partition(chr(10))[2]}", snapshot)
    assert "series_xid" in "\n".join(row[0] for row in plan)
