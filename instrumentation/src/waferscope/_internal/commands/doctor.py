"""`waferscope doctor`: is everything right between this host's jobs and the site, and what to do if not."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waferscope._internal.commands.checks.finding import Finding
    from waferscope._internal.commands.checks.http import Answer

_WRITER = "WAFERSCOPE_DOCTOR_WRITER"
_COLOURS = {"ok": "32", "note": "36", "warn": "33", "fail": "31"}


def doctor(parser: argparse.ArgumentParser) -> None:
    """Check settings, endpoint, Collector, writer and clock.

    Args:
        parser: The parser of `waferscope doctor`.
    """
    parser.add_argument(
        "--writer", metavar="URL", default=os.environ.get(_WRITER),
        help=f"the site's writer (default: ${_WRITER}, else port 14318 of the endpoint's host)",
    )  # fmt: skip
    parser.add_argument(
        "--collector", metavar="URL", help="the Collector's health port (default: port 17000 of the endpoint's host)"
    )
    parser.epilog = "Exit code 0 when nothing failed, else 1. It sends empty requests only: nothing is stored."
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    failed = False
    for finding in _findings(options.writer, options.collector):
        failed = failed or finding.level == "fail"
        coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        sys.stdout.write(f"{_line(finding, coloured=coloured)}\n")
        sys.stdout.flush()  # each as soon as it is known
    return int(failed)


def _findings(writer_url: str | None, collector_url: str | None) -> Iterator[Finding]:
    # The checks import what a command that merely lists this one does not need.
    from waferscope._internal.commands.checks import clock, collector, endpoint, settings, writer  # noqa: PLC0415
    from waferscope._internal.commands.checks.finding import Finding  # noqa: PLC0415

    answers: list[tuple[str, Answer]] = []
    yield from settings.check()
    yield from endpoint.check(answers)
    host, base = endpoint.host_and_base() or ("localhost", "")
    if answers and base and writer.is_one(base):
        yield Finding(
            "note", "collector", "the endpoint is the writer itself: no Collector keeps telemetry in an outage"
        )
        writer_url = writer_url or base
    else:
        yield from collector.check(host, collector_url, answers)
    yield from writer.check(host, writer_url, answers)
    yield from clock.check(answers)


def _line(finding: Finding, *, coloured: bool) -> str:
    level = f"{finding.level:<4}"
    if coloured:
        level = f"\x1b[{_COLOURS[finding.level]}m{level}\x1b[0m"
    advice = f": {finding.advice}" if finding.advice else ""
    return f"{level}  {finding.subject:<9}  {finding.found}{advice}"
