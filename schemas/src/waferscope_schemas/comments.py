"""The comments of the schema: written once in ``comments/*.yaml``, set by each migration, read from the database.

They are no part of the numbered migrations, which must never change: a better explanation is not another schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import asyncpg
import yaml

from waferscope_schemas import queries

_SQL = queries.load("waferscope_schemas")
_COMMON = "common.yaml"


@dataclass(frozen=True, slots=True)
class Entry:
    """A table, a view or a column as the database describes it; a table or view itself has no name and no type."""

    relation: str
    kind: str  # "view" or "table"
    position: int
    name: str | None
    type: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Texts:
    """What the files say.

    Attributes:
        relations: Comment of each table or view.
        columns: Comment of each column that its own table or view explains, by relation and name.
        like: The table whose columns of the same name and type mean the same, by relation.
        common: What a column means wherever it has this name and type.
    """

    relations: Mapping[str, str]
    columns: Mapping[tuple[str, str], str]
    like: Mapping[str, str]
    common: Mapping[tuple[str, str], str]

    def wanted(self, entries: Sequence[Entry]) -> Mapping[Entry, str]:
        """Find the comment of each entry: its own, that of the table it is like, the common one of its name and type.

        Args:
            entries: All tables, views and columns of a database.

        Returns:
            Comments by entry, without those that no file explains.
        """
        known = {entry: text for entry in entries if (text := self._own(entry))}
        named = {(entry.relation, entry.name, entry.type): text for entry, text in known.items()}
        for entry in entries:
            if entry.name is not None and entry.type is not None and entry not in known:
                same = named.get((self.like.get(entry.relation, ""), entry.name, entry.type))
                if text := same or self.common.get((entry.name, entry.type)):
                    known[entry] = text
        return known

    def _own(self, entry: Entry) -> str | None:
        if entry.name is None:
            return self.relations.get(entry.relation)
        return self.columns.get((entry.relation, entry.name))


@cache
def texts() -> Texts:
    """Read the files.

    Returns:
        What they say.
    """
    folder = files(__package__).joinpath("comments")
    documents: dict[str, Any] = {}
    for source in folder.iterdir():
        if source.name.endswith(".yaml") and source.name != _COMMON:
            documents |= yaml.safe_load(source.read_text(encoding="utf-8"))
    common = yaml.safe_load(folder.joinpath(_COMMON).read_text(encoding="utf-8"))
    columns = {
        (relation, name): text for relation, said in documents.items() for name, text in said.get("columns", {}).items()
    }
    return Texts(
        MappingProxyType({relation: said["comment"] for relation, said in documents.items()}),
        MappingProxyType(columns),
        MappingProxyType({relation: said["like"] for relation, said in documents.items() if "like" in said}),
        MappingProxyType({(item["name"], item["type"]): item["comment"] for item in common}),
    )


async def provide(conn: asyncpg.Connection) -> None:
    """Set the comments that are not what the files say; those that nobody explains stay as they are.

    Args:
        conn: A connection as the owner of the migrated schema.
    """
    changed = [(entry, text) for entry, text in texts().wanted(await read(conn)).items() if text != entry.comment]
    fields = [(entry.kind, entry.relation, entry.name, text) for entry, text in changed]
    async with conn.transaction():
        for row in await conn.fetch(_SQL["comment_statements"], *(zip(*fields, strict=True) if fields else [[]] * 4)):
            await conn.execute(row[0])


async def read(conn: asyncpg.Connection) -> tuple[Entry, ...]:
    """Read the dictionary from the database.

    Args:
        conn: A connection to a migrated database.

    Returns:
        All tables, views and columns: views first, by name; each followed by its columns.
    """
    return tuple(Entry(**row) for row in await conn.fetch(_SQL["dictionary"]))
