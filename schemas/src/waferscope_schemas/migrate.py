"""The runner: brings a database's schema forward, one migration after the other, each in a transaction of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from waferscope_schemas import comments, partitioning, queries, reader
from waferscope_schemas.database import connect
from waferscope_schemas.errors import IncompatibleSchemaError, MigrationError, one_line
from waferscope_schemas.migration import Migration, all_migrations

_SQL = queries.load("waferscope_schemas")

SAMPLE_CHUNK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration as the database remembers it."""

    version: int
    name: str
    checksum: str
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database's schema stands against the migrations of this package."""

    storage: str  # "TimescaleDB 2.29.2", "PostgreSQL 18.4"
    applied: tuple[Applied, ...]
    pending: tuple[Migration, ...]

    @property
    def version(self) -> int:
        """The schema's version; 0 for a database that was never migrated."""
        return self.applied[-1].version if self.applied else 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the runner did."""

    storage: str
    version: int
    applied: tuple[Migration, ...]
    reader: str


async def migrate(url: str, *, reader_password: str | None = None, sample_chunk: timedelta = SAMPLE_CHUNK) -> Outcome:
    """Apply what is missing; runners at the same time wait for one another.

    Args:
        url: The database, as its owner.
        reader_password: Password of the role ``waferscope_reader``; None leaves it as it is.
        sample_chunk: Length of a chunk of the tables of samples where TimescaleDB is there, set once.

    Returns:
        What was done.

    Raises:
        DatabaseUnreachableError: The database does not answer, or does not let us in.
        IncompatibleSchemaError: An applied migration was changed, or is newer than this package.
        MigrationError: A migration failed, what it did is rolled back, those before it stay; or a privilege is missing.
    """
    conn = await connect(url)
    try:
        await conn.execute(_SQL["lock_migrations"])
        await conn.execute(_SQL["create_bookkeeping"])
        found = await _compare(conn)
        timescale = await partitioning.provide(conn, fresh=not found.applied)
        for migration in found.pending:
            await _apply(conn, migration, timescale=timescale, sample_chunk=sample_chunk)
        await partitioning.enable_columnstore(conn)
        await comments.provide(conn)
        told = await reader.provide(conn, reader_password)
        return Outcome(await conn.fetchval(_SQL["storage"]), len(all_migrations()), found.pending, told)
    except asyncpg.PostgresError as error:  # a privilege is missing, or the connection broke
        raise MigrationError(f"the database cannot be migrated: {one_line(error)}") from error
    finally:
        await conn.close()  # also gives the lock back


async def status(url: str) -> Status:
    """Compare a database's schema with the migrations of this package.

    Args:
        url: The database.

    Returns:
        What was applied and what is pending.

    Raises:
        DatabaseUnreachableError: The database does not answer, or does not let us in.
        IncompatibleSchemaError: An applied migration was changed, or is newer than this package.
    """
    conn = await connect(url)
    try:
        return await _compare(conn)
    finally:
        await conn.close()


async def check(url: str) -> Status:
    """As `status`, but refuse a database with pending migrations.

    Args:
        url: The database.

    Returns:
        What was applied; nothing is pending.

    Raises:
        DatabaseUnreachableError: The database does not answer, or does not let us in.
        IncompatibleSchemaError: A migration is pending, was changed, or is newer than this package.
    """
    found = await status(url)
    if found.pending:
        names = ", ".join(f"{migration.version} {migration.name}" for migration in found.pending)
        raise IncompatibleSchemaError(f"pending: {names}; run `waferscope schema migrate`")
    return found


async def _compare(conn: asyncpg.Connection) -> Status:
    exists = await conn.fetchval(_SQL["schema_exists"])
    rows = await conn.fetch(_SQL["applied_migrations"]) if exists else []
    applied = tuple(Applied(**row) for row in rows)
    pending = _pending(applied, all_migrations())
    return Status(await conn.fetchval(_SQL["storage"]), applied, pending)


def _pending(applied: Sequence[Applied], known: Sequence[Migration]) -> tuple[Migration, ...]:
    """Tell what is still to apply, after checking that what was applied is what we know."""
    if applied and applied[-1].version > len(known):
        newest = applied[-1]
        raise IncompatibleSchemaError(
            f"the database has migration {newest.version} {newest.name}, this package knows {len(known)}:"
            " upgrade waferscope-schemas"
        )
    for done, migration in zip(applied, known, strict=False):
        if (done.version, done.checksum) != (migration.version, migration.checksum):
            raise IncompatibleSchemaError(
                f"migration {migration.version} {migration.name} differs from what was applied"
                f" at {done.applied_at:%Y-%m-%d %H:%M:%S} UTC: it must never change"
            )
    return tuple(known[len(applied) :])


async def _apply(conn: asyncpg.Connection, migration: Migration, *, timescale: bool, sample_chunk: timedelta) -> None:
    sql = partitioning.translate(migration.sql, timescale=timescale, sample_chunk=sample_chunk)
    try:
        async with conn.transaction():
            await conn.execute(sql)
            await conn.execute(_SQL["note_migration"], migration.version, migration.name, migration.checksum)
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"migration {migration.version} {migration.name} failed and is undone: {one_line(error)}"
        ) from error
