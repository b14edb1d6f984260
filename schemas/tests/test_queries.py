"""Named queries are refused unless each says its name, its purpose and its SQL."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from waferscope_schemas import queries
from waferscope_schemas.errors import QueryFileError

Package = Callable[[str], str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Make an importable package with one file of queries."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(sql: str) -> str:
        folder = tmp_path / "sqlpackage" / "sql"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        (folder / "a.sql").write_text(sql)
        (folder / "notes.txt").write_text("no SQL")
        sys.modules.pop("sqlpackage", None)
        return "sqlpackage"

    return make


def test_a_query_keeps_its_name_at_its_head_and_loses_its_purpose(package: Package) -> None:
    loaded = queries.load(
        package("-- name: first\n-- Says one.\nselect 1;\n\n-- name: second_2\n-- Two.\nselect\n 2;\n")
    )
    assert dict(loaded) == {"first": "-- first\nselect 1;", "second_2": "-- second_2\nselect\n 2;"}


def test_comments_before_the_first_query_are_ignored(package: Package) -> None:
    assert list(queries.load(package("-- About this file.\n\n-- name: one\n-- One.\nselect 1;"))) == ["one"]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("-- name: Bad-Name\n-- Why.\nselect 1;", "no snake_case name"),
        ("-- name:\n-- Why.\nselect 1;", "no snake_case name"),
        ("-- name: one\nselect 1;", "what it is for"),
        ("-- name: one\n--\nselect 1;", "what it is for"),
        ("-- name: one\n-- Why.\n", "no SQL"),
        ("-- name: one\n-- Why.\nselect 1;\n-- name: one\n-- Why.\nselect 2;", "taken"),
        ("select 0;\n-- name: one\n-- Why.\nselect 1;", "before the first"),
    ],
)
def test_a_broken_file_is_refused(package: Package, sql: str, problem: str) -> None:
    with pytest.raises(QueryFileError, match=problem):
        queries.load(package(sql))
