"""The numbered migrations that this package carries."""

import hashlib
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

_FILE = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, in plain PostgreSQL's words.

    `checksum` is the SHA-256 of its text: what was applied once must never change.
    """

    version: int
    name: str
    sql: str = field(repr=False)
    checksum: str


@cache
def all_migrations() -> tuple[Migration, ...]:
    """Read the migrations.

    Returns:
        All of them, in order of their version, which counts from 1 without gaps.
    """
    found = []
    for source in files(__package__).joinpath("migrations").iterdir():
        if match := _FILE.fullmatch(source.name):
            sql = source.read_text(encoding="utf-8")
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            found.append(Migration(int(match["version"]), match["name"], sql, checksum))
    return tuple(sorted(found, key=lambda migration: migration.version))
