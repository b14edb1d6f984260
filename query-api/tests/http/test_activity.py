"""Slow queries are logged; what a crash interrupted is told at the next start."""

import logging
from pathlib import Path

import pytest

from waferscope_query.http.activity import Activity


def interrupted(records: list[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in records if "under way" in record.getMessage()]


def test_only_what_had_not_ended_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "new" / "active"
    first = Activity(1e9, file, 2)
    with first.query(query="ended"):
        pass
    unended = first.query(query="x" * 5000, time="1")
    unended.__enter__()
    with first.query(query="second"), first.query(query="one too many"):
        pass
    assert not interrupted(caplog.records)
    first.close()  # as the end of the process does
    Activity(1e9, file, 2).close()
    (told,) = interrupted(caplog.records)
    assert 'time":"1"' in told
    assert "xxx…" in told
    caplog.clear()
    Activity(1e9, file, 2)
    assert not interrupted(caplog.records)


def test_a_file_of_another_service_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    owner = Activity(1e9, tmp_path / "active", 1)
    with owner.query(query="mine"):
        other = Activity(1e9, tmp_path / "active", 1)
        with other.query(query="other"):
            assert b"mine" in (tmp_path / "active").read_bytes()
    assert "queries under way are not noted" in caplog.text


def test_a_slow_query_is_logged_with_what_was_asked(caplog: pytest.LogCaptureFixture) -> None:
    with Activity(0, None, 1).query(query="sum(x)", start="1", end=""):
        pass
    assert caplog.records[-1].getMessage().endswith('s: {"query":"sum(x)","start":"1"}')
    caplog.clear()
    with Activity(60, None, 1).query(query="sum(x)"):
        pass
    assert not caplog.records
