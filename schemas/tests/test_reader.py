"""The reader's role reads views and nothing else, and its password is never seen."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from waferscope_schemas.database import connect
from waferscope_schemas.errors import MigrationError, SettingsError
from waferscope_schemas.migrate import migrate
from waferscope_schemas.reader import ROLE, _verifier

# One for all tests of a server: they share the role.
PASSWORD = "it's \\ $1 a % password"


def as_reader(url: str) -> str:
    address = urlsplit(url)
    return address._replace(netloc=f"{ROLE}:{quote(PASSWORD, safe='')}@{address.hostname}:{address.port}").geturl()


async def names(conn: asyncpg.Connection, kinds: str) -> list[str]:
    query = "select relname from pg_class where relnamespace = 'wafer'::regnamespace and relkind = any($1)"
    return [row["relname"] for row in await conn.fetch(query, [kind.encode() for kind in kinds])]


async def test_the_reader_reads_every_view_and_no_table(database_url: str) -> None:
    outcome = await migrate(database_url, reader_password=PASSWORD)
    assert "logs in" in outcome.reader
    assert PASSWORD not in outcome.reader
    reader = await connect(as_reader(database_url))
    views = await names(reader, "v")
    assert {"jobs", "steps", "job_events", "spans", "logs", "metrics", "hosts"} <= set(views)
    assert {"equipment_states", "carrier_visits", "deployments"} <= set(views)
    assert {"success_rates", "slowest_jobs", "failures", "outliers", "equipment_utilisation"} <= set(views)
    assert {"carrier_dwell", "lot_journeys", "host_jobs", "dictionary"} <= set(views)
    for view in views:
        await reader.fetch(f"select * from wafer.{view}")
    for table in await names(reader, "rp"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch(f"select * from wafer.{table}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.fetch("select * from wafer_meta.migration")
    await reader.close()


async def test_the_reader_writes_nothing(database_url: str) -> None:
    await migrate(database_url, reader_password=PASSWORD)
    reader = await connect(as_reader(database_url))
    for statement in (
        "insert into wafer.hosts values ('s', 'h', now(), 30)",
        "create table wafer.mine ()",
        "create table public.mine ()",
        "set default_transaction_read_only = off; create table public.mine ()",
    ):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
            await reader.execute(statement)
    await reader.close()


async def test_without_a_password_an_existing_role_is_left_as_it_is(database_url: str) -> None:
    await migrate(database_url, reader_password=PASSWORD)
    outcome = await migrate(database_url)
    assert "keeps its login and password" in outcome.reader
    await (await connect(as_reader(database_url))).close()


async def test_databases_of_one_cluster_may_set_the_password_at_once(
    database_url: str, empty_database_url: str
) -> None:
    urls = [database_url, empty_database_url] * 4
    await asyncio.gather(*(migrate(url, reader_password=PASSWORD) for url in urls))
    await (await connect(as_reader(empty_database_url))).close()


@pytest.fixture
async def owner_url(empty_database_url: str) -> AsyncIterator[str]:
    """The URL of a fresh database as its owner, who may not create roles."""
    admin, owner = await connect(empty_database_url), f"owner_{uuid.uuid4().hex}"
    await admin.execute(f"create role {owner} login password 'p'")
    await admin.execute(f'alter database "{urlsplit(empty_database_url).path[1:]}" owner to {owner}')
    address = urlsplit(empty_database_url)
    yield address._replace(netloc=f"{owner}:p@{address.hostname}:{address.port}").geturl()
    await admin.execute(f"reassign owned by {owner} to current_user; drop owned by {owner}; drop role {owner}")
    await admin.close()


async def test_an_owner_who_may_not_create_roles_grants_the_views_to_the_role_that_is_there(
    database_url: str, owner_url: str
) -> None:
    await migrate(database_url, reader_password=PASSWORD)
    await migrate(owner_url)
    reader = await connect(as_reader(owner_url))
    assert await reader.fetch("select * from wafer.jobs") == []
    await reader.close()


async def test_a_missing_privilege_is_told_in_one_line(database_url: str, owner_url: str) -> None:
    await migrate(database_url, reader_password=PASSWORD)
    with pytest.raises(MigrationError, match=r"^the database cannot be migrated: permission denied.*$"):
        await migrate(owner_url, reader_password=PASSWORD)


def test_the_server_is_given_a_verifier_and_not_the_password() -> None:
    assert _verifier(PASSWORD).startswith("SCRAM-SHA-256$4096:")
    assert _verifier(PASSWORD) != _verifier(PASSWORD)


@pytest.mark.parametrize("password", ["", "tab\t", "naïve"])
def test_a_password_that_clients_may_spell_in_two_ways_is_refused(password: str) -> None:
    with pytest.raises(SettingsError, match="WAFERSCOPE_SCHEMA_READER_PASSWORD"):
        _verifier(password)
