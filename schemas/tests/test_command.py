"""`waferscope schema` tells what it did, and fails with one line and the right exit code."""

import argparse
import json
import subprocess
import sys

import pytest
from support.ports import free_port

from waferscope_schemas.command import schema
from waferscope_schemas.errors import DatabaseUnreachableError, IncompatibleSchemaError, SettingsError
from waferscope_schemas.migration import all_migrations


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("WAFERSCOPE_DATABASE_URL", "WAFERSCOPE_SCHEMA_READER_PASSWORD", "WAFERSCOPE_SCHEMA_SAMPLE_CHUNK"):
        monkeypatch.delenv(variable, raising=False)


def run(action: str, *options: str) -> int:
    parser = argparse.ArgumentParser()
    schema(parser)
    args = parser.parse_args([action, *options])
    code: int = args.run(args)
    return code


def test_a_fresh_database_is_migrated_and_then_passes_the_check(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAFERSCOPE_DATABASE_URL", empty_database_url)
    assert run("status") == 0
    assert capsys.readouterr().out.startswith("0001 site: pending\n")
    with pytest.raises(IncompatibleSchemaError):
        run("check")
    assert run("migrate") == 0
    told = capsys.readouterr().out
    assert "applied 1 site\n" in told
    assert f"schema {len(all_migrations())} on " in told
    assert "role waferscope_reader " in told
    assert run("check") == 0
    assert run("status") == 0
    assert "0001 site: applied " in capsys.readouterr().out


def test_the_dictionary_is_printed_in_both_forms(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAFERSCOPE_DATABASE_URL", database_url)
    assert run("dictionary") == 0
    assert capsys.readouterr().out.startswith("# Data dictionary\n")
    assert run("dictionary", "--format", "json") == 0
    assert {"jobs", "job_run"} <= {item["relation"] for item in json.loads(capsys.readouterr().out)}


def test_the_dictionary_of_a_database_without_a_schema_is_refused(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAFERSCOPE_DATABASE_URL", empty_database_url)
    with pytest.raises(IncompatibleSchemaError, match="waferscope schema migrate"):
        run("dictionary")


def test_a_missing_url_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="WAFERSCOPE_DATABASE_URL: is not set"):
        run("migrate")


def test_an_absent_database_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERSCOPE_DATABASE_URL", f"postgresql://u:p@127.0.0.1:{free_port()}/x")
    with pytest.raises(DatabaseUnreachableError):
        run("migrate")


def test_describing_the_command_imports_nothing_heavy() -> None:
    code = "import sys; import waferscope_schemas.command; print({'asyncpg', 'pydantic', 'yaml'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
