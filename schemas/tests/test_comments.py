"""Every table, view and column is explained, in the database itself, and the committed dictionary is what it says."""

import json
from pathlib import Path

import asyncpg
import pytest

from waferscope_schemas import comments
from waferscope_schemas.comments import Entry, Texts
from waferscope_schemas.migrate import migrate
from waferscope_schemas.render_dictionary import render_json, render_markdown

DICTIONARY = Path(__file__).parents[2] / "docs" / "dictionary.md"
GRAFANA_TYPES = {
    *("bigint", "boolean", "double precision", "integer", "jsonb", "smallint", "text", "timestamp with time zone"),
}


async def test_every_table_view_and_column_has_a_comment(conn: asyncpg.Connection) -> None:
    bare = [(entry.relation, entry.name) for entry in await comments.read(conn) if not entry.comment]
    assert not bare, "explain them in schemas/src/waferscope_schemas/comments/"


async def test_no_relation_of_the_schema_escapes_the_dictionary(conn: asyncpg.Connection) -> None:
    query = (
        "select relname::text from pg_class where relnamespace = 'wafer'::regnamespace"
        " and relkind not in ('i', 'I', 'S', 'c') and not relispartition"
    )
    assert {row[0] for row in await conn.fetch(query)} == {entry.relation for entry in await comments.read(conn)}


async def test_every_text_explains_something_and_is_set(conn: asyncpg.Connection) -> None:
    entries, said = await comments.read(conn), comments.texts()
    assert {entry: entry.comment for entry in entries} == said.wanted(entries)
    assert set(said.relations) == {entry.relation for entry in entries}
    assert set(said.columns) <= {(entry.relation, entry.name) for entry in entries}
    assert set(said.like.values()) <= {entry.relation for entry in entries if entry.kind == "table"}
    assert set(said.common) <= {(entry.name, entry.type) for entry in entries}


async def test_a_comment_is_a_sentence_and_says_what_null_means_only_where_it_can_be(conn: asyncpg.Connection) -> None:
    for entry in await comments.read(conn):
        assert entry.comment, entry
        assert entry.comment[0].isupper() or entry.comment[0].isdigit(), entry
        assert entry.comment.endswith("."), entry
    query = "select attrelid::regclass::text, attname::text from pg_attribute join pg_class c on c.oid = attrelid"
    query += " where attnotnull and attnum > 0 and relnamespace = 'wafer'::regnamespace and relkind in ('r', 'p')"
    never = {(relation.removeprefix("wafer."), name) for relation, name in await conn.fetch(query)}
    for entry in await comments.read(conn):
        if (entry.relation, entry.name) in never:
            assert "null" not in (entry.comment or "").lower(), entry


async def test_views_give_what_grafana_can_show(conn: asyncpg.Connection) -> None:
    columns = [entry for entry in await comments.read(conn) if entry.kind == "view" and entry.type]
    assert {entry.type for entry in columns} <= GRAFANA_TYPES


async def test_migrating_again_repairs_comments_and_leaves_those_of_others(
    conn: asyncpg.Connection, database_url: str
) -> None:
    await conn.execute(
        """
        comment on table wafer.job_run is 'changed';
        comment on column wafer.jobs.lot is null;
        create view wafer.ours as select 1 as x;
        comment on view wafer.ours is 'the site''s own'
        """
    )
    before = {(entry.relation, entry.name) for entry in await comments.read(conn)}
    await migrate(database_url)
    found = {(entry.relation, entry.name): entry.comment for entry in await comments.read(conn)}
    assert found.keys() == before
    assert found["job_run", None] == comments.texts().relations["job_run"]
    assert found["jobs", "lot"] == comments.texts().common["lot", "text"]
    assert found["ours", None] == "the site's own"
    assert found["ours", "x"] is None


def test_a_column_is_explained_by_itself_its_table_or_its_name_and_type() -> None:
    said = Texts(
        {"t": "Table."},
        {("t", "a"): "A of the table.", ("v", "own"): "Own."},
        {"v": "t"},
        {("a", "text"): "A anywhere.", ("b", "text"): "B anywhere."},
    )
    described = {("t", "a", "text"), ("v", "a", "text"), ("v", "a", "bytea"), ("v", "own", "text"), ("w", "a", "text")}
    entries = [Entry(relation, "view", 1, name, kind, None) for relation, name, kind in sorted(described)]
    assert {(entry.relation, entry.name, entry.type): text for entry, text in said.wanted(entries).items()} == {
        ("t", "a", "text"): "A of the table.",
        ("v", "a", "text"): "A of the table.",
        ("v", "own", "text"): "Own.",
        ("w", "a", "text"): "A anywhere.",
    }


async def test_the_committed_dictionary_is_current(conn: asyncpg.Connection) -> None:
    assert DICTIONARY.read_text(encoding="utf-8") == render_markdown(await comments.read(conn)), "run `make generate`"


async def test_as_json_each_relation_holds_its_columns_in_order(conn: asyncpg.Connection) -> None:
    found = {item["relation"]: item for item in json.loads(render_json(await comments.read(conn)))}
    names = [column["name"] for column in found["hosts"]["columns"]]
    assert names == ["site", "name", "last_seen", "interval", "unreachable"]
    assert found["hosts"]["kind"] == "view"
    assert found["sample"]["kind"] == "table"


@pytest.mark.parametrize("relation", ["jobs", "job_run"])
async def test_comments_stand_where_tools_look_for_them(conn: asyncpg.Connection, relation: str) -> None:
    query = "select obj_description($1::text::regclass, 'pg_class')"
    assert await conn.fetchval(query, f"wafer.{relation}") == comments.texts().relations[relation]
