"""The version matrix: which component works on which version of the database's schema."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed_version
from importlib.resources import files

import asyncpg
import yaml
from asyncpg.pool import PoolConnectionProxy

from waferscope_schemas import queries
from waferscope_schemas.errors import IncompatibleSchemaError

_SQL = queries.load(__package__ or "waferscope_schemas")


@dataclass(frozen=True, slots=True)
class Range:
    """The schema versions that a component works with, both ends included."""

    component: str
    version: str
    min: int
    max: int


@cache
def matrix() -> tuple[Range, ...]:
    """Read the version matrix.

    Returns:
        One range per component and its version (major.minor), in the file's order.
    """
    document = yaml.safe_load(files(__package__).joinpath("compatibility.yaml").read_text(encoding="utf-8"))
    return tuple(
        Range(component, version, needs["schema"]["min"], needs["schema"]["max"])
        for component, versions in document["components"].items()
        for version, needs in versions.items()
    )


async def require_schema(conn: asyncpg.Connection | PoolConnectionProxy, component: str = "waferscope-schemas") -> int:
    """Refuse a database whose schema this installation can't work with.

    Args:
        conn: An open connection.
        component: Distribution name of the component that asks.

    Returns:
        The schema's version.

    Raises:
        IncompatibleSchemaError: There is no schema, or it is too old or too new; the message says what to do.
    """
    version = installed_version(component)
    needs = _range(component, version)
    found: int = await conn.fetchval(_SQL["schema_version"]) if await conn.fetchval(_SQL["schema_exists"]) else 0
    if needs.min <= found <= needs.max:
        return found
    wanted = f"{component} {version} works with schema {needs.min} to {needs.max}"
    if found > needs.max:
        raise IncompatibleSchemaError(f"the database has schema {found}, {wanted}: upgrade {component}")
    state = f"has schema {found}" if found else "has no schema"
    raise IncompatibleSchemaError(f"the database {state}, {wanted}: run `waferscope schema migrate`")


def _range(component: str, version: str) -> Range:
    minor = ".".join(version.split(".")[:2])
    for entry in matrix():
        if (entry.component, entry.version) == (component, minor):
            return entry
    raise IncompatibleSchemaError(f"{component} {version} is not in the version matrix")
