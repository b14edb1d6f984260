"""Named queries: SQL lives in .sql files beside the code that runs it.

A file holds any number of queries, each headed by its name and by what it is for:

    -- name: insert_series
    -- Creates the series of a request that are not there yet.
    insert into wafer.series (...) ...
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from types import MappingProxyType

from waferscope_schemas.errors import QueryFileError

_HEAD = re.compile(r"^-- name:(.*)$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def load(package: str, folder: str = "sql") -> Mapping[str, str]:
    """Load all named queries of a package.

    Args:
        package: Import name of the package that owns the folder.
        folder: The folder with the .sql files, inside the package.

    Returns:
        SQL by name. The name stays at its head as a comment, so that pg_stat_activity and the server's log show it.

    Raises:
        QueryFileError: A query has no valid name, no line that says what it is for, no SQL, or a name that is taken.
    """
    queries: dict[str, str] = {}
    for source in sorted(files(package).joinpath(folder).iterdir(), key=lambda entry: entry.name):
        if not source.name.endswith(".sql"):
            continue
        for name, sql in _parse(source.name, source.read_text(encoding="utf-8")):
            if name in queries:
                raise QueryFileError(f"{source.name}: the name {name!r} is taken")
            queries[name] = sql
    return MappingProxyType(queries)


def _parse(file: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield name and SQL of each query of a file."""
    before, *parts = _HEAD.split(text)
    if any(line and not line.startswith("--") for line in map(str.strip, before.splitlines())):
        raise QueryFileError(f"{file}: SQL before the first '-- name:' line")
    for head, body in zip(parts[::2], parts[1::2], strict=True):
        name = head.strip()
        if not _NAME.fullmatch(name):
            raise QueryFileError(f"{file}: {name!r} is no snake_case name")
        purpose, _, sql = body.strip().partition("\n")
        if not re.fullmatch(r"-- *\w.*", purpose):
            raise QueryFileError(f"{file}: {name} does not say what it is for")
        if not sql.strip():
            raise QueryFileError(f"{file}: {name} holds no SQL")
        yield name, f"-- {name}\n{sql.strip()}"
