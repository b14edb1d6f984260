"""The runner brings every database to the same schema, once, whoever runs it at the same time."""

import asyncio
import struct
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from waferscope_schemas import migrate as runner
from waferscope_schemas.compatibility import require_schema
from waferscope_schemas.database import connect
from waferscope_schemas.errors import IncompatibleSchemaError, MigrationError
from waferscope_schemas.migration import Migration, all_migrations

CATALOG = """
select 'column', table_schema || '.' || table_name, column_name || ' ' || data_type, coalesce(column_default, '')
from information_schema.columns where table_schema in ('wafer', 'wafer_meta')
union all
select 'index', schemaname || '.' || tablename, indexname, indexdef
from pg_indexes where schemaname in ('wafer', 'wafer_meta')
union all
select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
from pg_constraint where connamespace in ('wafer'::regnamespace, 'wafer_meta'::regnamespace)
union all
select 'view', schemaname, viewname, definition from pg_views where schemaname = 'wafer'
union all
select 'function', pronamespace::regnamespace::text, proname, prosrc
from pg_proc where pronamespace = 'wafer'::regnamespace
order by 1, 2, 3, 4
"""


async def catalog(url: str) -> list[tuple[str, ...]]:
    conn = await connect(url)
    try:
        return [tuple(row) for row in await conn.fetch(CATALOG)]
    finally:
        await conn.close()


def further(sql: str) -> Migration:
    return Migration(len(all_migrations()) + 1, "further", sql, "0" * 64)


def test_versions_count_from_one_without_gaps() -> None:
    assert [migration.version for migration in all_migrations()] == list(range(1, len(all_migrations()) + 1))


async def test_runners_at_the_same_time_apply_each_migration_once(empty_database_url: str, database_url: str) -> None:
    outcomes = await asyncio.gather(*(runner.migrate(empty_database_url) for _ in range(5)))
    applied = [migration for outcome in outcomes for migration in outcome.applied]
    assert sorted(migration.version for migration in applied) == [migration.version for migration in all_migrations()]
    assert await catalog(empty_database_url) == await catalog(database_url)


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = await catalog(database_url)
    outcome = await runner.migrate(database_url)
    assert (outcome.applied, outcome.version) == ((), len(all_migrations()))
    assert await catalog(database_url) == before


async def test_the_status_of_a_fresh_database_is_all_pending(empty_database_url: str) -> None:
    found = await runner.status(empty_database_url)
    assert (found.version, found.applied, found.pending) == (0, (), all_migrations())


async def test_a_changed_migration_is_refused(conn: asyncpg.Connection, database_url: str) -> None:
    await conn.execute("update wafer_meta.migration set checksum = 'other' where version = 1")
    for act in (runner.migrate, runner.status, runner.check):
        with pytest.raises(IncompatibleSchemaError, match="must never change"):
            await act(database_url)


async def test_a_database_from_a_newer_package_is_refused(conn: asyncpg.Connection, database_url: str) -> None:
    await conn.execute("insert into wafer_meta.migration (version, name, checksum) values (99, 'later', 'x')")
    for act in (runner.migrate, runner.status, runner.check):
        with pytest.raises(IncompatibleSchemaError, match=r"99 later.*upgrade") as caught:
            await act(database_url)
    assert caught.value.exit_code == 3


async def test_a_failing_migration_is_undone_and_those_before_it_stay(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = further("create table wafer.further (); select 1 / 0;")
    monkeypatch.setattr(runner, "all_migrations", lambda: (*all_migrations(), broken))
    with pytest.raises(MigrationError, match="further failed and is undone: division by zero"):
        await runner.migrate(empty_database_url)
    found = await runner.status(empty_database_url)
    assert (found.version, found.pending) == (len(all_migrations()), (broken,))
    assert not [row for row in await catalog(empty_database_url) if "further" in row[1]]


async def test_check_refuses_a_pending_migration(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await runner.check(database_url)
    monkeypatch.setattr(runner, "all_migrations", lambda: (*all_migrations(), further("select 1;")))
    with pytest.raises(IncompatibleSchemaError, match=r"pending: .* further"):
        await runner.check(database_url)


async def test_a_later_migration_sees_the_kind_of_storage_of_the_first(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = further("create table wafer.further (\n    ts timestamptz not null\n) partition by range (ts);")
    monkeypatch.setattr(runner, "all_migrations", lambda: (*all_migrations(), table))
    outcome = await runner.migrate(database_url)
    conn = await connect(database_url)
    kind = await conn.fetchval("select relkind from pg_class where oid = 'wafer.further'::regclass")
    await conn.close()
    assert kind == (b"r" if outcome.storage.startswith("TimescaleDB") else b"p")


async def _nothing(_: asyncpg.Connection) -> None: ...


async def test_packed_totals_hold_what_the_rows_held(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(runner, "all_migrations", lambda: all_migrations()[:7])
        before.setattr(runner.comments, "provide", _nothing)  # they are those of the newest tables
        await runner.migrate(empty_database_url)
    conn = await connect(empty_database_url)
    await conn.execute(
        "insert into wafer.delta_total (series_id, start, ts, value, count, schema)"
        " values (3, 10, 20, 0.5, null, null), (63, 11, 21, 1.5, null, null), (64, 12, 22, 2.5, null, null),"
        " (65, 13, 23, 0, 4, -53)"
    )
    await runner.migrate(empty_database_url)
    blocks = dict(await conn.fetch("select block, totals from wafer.number_total"))
    known = {
        block * 64 + place: total
        for block, totals in blocks.items()
        for place, total in enumerate(struct.iter_unpack(">qqd", totals))
        if total[0] != -(2**63)
    }
    assert known == {3: (10, 20, 0.5), 63: (11, 21, 1.5), 64: (12, 22, 2.5)}
    assert {block: len(totals) for block, totals in blocks.items()} == {0: 64 * 24, 1: 64 * 24}
    told = (
        "select n, wafer.total_ts(n, totals) from generate_series(62, 65) n join wafer.number_total on block = n / 64"
    )
    assert dict(await conn.fetch(told)) == {62: None, 63: 21, 64: 22, 65: None}
    assert [tuple(row) for row in await conn.fetch("select series_id, ts, count from wafer.histogram_total")] == [
        (65, 23, 4)
    ]
    await conn.close()


class TestRequireSchema:
    """A component starts only against a schema in its range of the version matrix."""

    async def test_the_schema_of_this_package_is_accepted(self, conn: asyncpg.Connection) -> None:
        for component in ("waferscope-schemas", "waferscope-collector", "waferscope-query"):
            assert await require_schema(conn, component) == len(all_migrations())

    async def test_a_database_without_a_schema_is_refused(self, empty_database_url: str) -> None:
        conn = await connect(empty_database_url)
        with pytest.raises(IncompatibleSchemaError, match=r"has no schema.*waferscope schema migrate") as caught:
            await require_schema(conn)
        assert caught.value.exit_code == 3
        await conn.close()

    async def test_a_newer_schema_is_refused(self, conn: asyncpg.Connection) -> None:
        await conn.execute("insert into wafer_meta.migration (version, name, checksum) values (99, 'later', 'x')")
        with pytest.raises(IncompatibleSchemaError, match=r"has schema 99.*upgrade waferscope-query"):
            await require_schema(conn, "waferscope-query")


def test_what_was_applied_is_compared_in_order_of_versions() -> None:
    known = (Migration(1, "a", "", "x"), Migration(2, "b", "", "y"))
    applied = runner.Applied(1, "a", "x", datetime(2026, 1, 1, tzinfo=UTC))
    assert runner._pending([applied], known) == known[1:]
    with pytest.raises(IncompatibleSchemaError):
        runner._pending([replace(applied, version=2)], known)
