"""`waferscope run`: a wafer job around any command."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from waferscope._internal import guard

if TYPE_CHECKING:
    from waferscope._internal.commands.observation import Description

_IDS = ("lot", "equipment", "recipe", "carrier", "substrate", "operation", "module", "id")
_EPILOG = """\
stdin, stdout, stderr, signals and the exit status are the command's own; where telemetry goes is told by OTEL_*
variables. The command may append lines to the file that WAFERSCOPE_PROGRESS names:
  progress DONE [TOTAL] | step [NAME] | processed N | record NAME VALUE UNIT | log MESSAGE
  fail REASON | skip REASON | cancel REASON
"""

_BEGINNING = guard.Boundary("observing the command")
_logger = logging.getLogger("waferscope")


def run(parser: argparse.ArgumentParser) -> None:
    """Run a command as a wafer job.

    Args:
        parser: The parser of `waferscope run`.
    """
    parser.allow_abbrev = False
    parser.usage = "%(prog)s [options] -- COMMAND [ARGUMENT ...]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("--name", help="wafer.job.name, one of few (default: the command's)")
    for option in _IDS:
        parser.add_argument(f"--{option}", metavar="ID", help=f"wafer.{'job' if option == 'id' else option}.id")
    parser.add_argument("--attempt", metavar="N", help="number of the attempt at this id, from 1")
    parser.add_argument("--queued-at", metavar="TIME", help="since when the job was due: ISO 8601, or Unix seconds")
    parser.add_argument("--attribute", action="append", default=[], metavar="KEY=VALUE", help="may be repeated")
    parser.add_argument("--service", help="service.name unless OTEL_* variables name it (default: the job's name)")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run")
    parser.set_defaults(run=_run, usage_error=parser.error)


def _run(options: argparse.Namespace) -> int:
    command: list[str] = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        options.usage_error("there is no command to run; put it behind --")
    if not hasattr(os, "fork"):
        options.usage_error("this system can't run it: Linux or macOS is needed")

    # Nothing here may import OpenTelemetry: the command's process is forked first (see Child).
    from waferscope._internal.commands.child import Child  # noqa: PLC0415 - not on Windows
    from waferscope._internal.commands.ending import Ending, Farewell  # noqa: PLC0415 - as above

    child = Child(command)
    farewell = Farewell()

    observation = None
    with _BEGINNING:
        from waferscope._internal.commands.observation import Observation  # noqa: PLC0415 - as above

        observation = Observation(_description(options, command[0]), child.pid)
    error = child.execute(observation.begin() if observation else {})
    if observation:
        observation.executed()
    ending = child.wait()
    if error is not None:
        ending = Ending.unexecuted(error)
        _logger.error("waferscope run: %s: %s", command[0], error.strerror)
    if observation:
        observation.end(ending, child)
    return farewell.like(ending)


def _description(options: argparse.Namespace, command: str) -> Description:
    """Read the options. What can't be read is told and left out: it must not keep the command from running."""
    from waferscope._internal.commands.observation import Description  # noqa: PLC0415 - see above

    about: dict[str, Any] = {}
    for pair in options.attribute:
        key, separator, value = pair.partition("=")
        if key and separator:
            about[key] = value
        else:
            _logger.warning("waferscope run: --attribute %r is no KEY=VALUE and left out", pair)
    about |= {name: getattr(options, name) for name in _IDS if getattr(options, name)}
    about |= _read("--attempt", "attempt", options.attempt, int)
    about |= _read("--queued-at", "queued_at", options.queued_at, moment)
    return Description(options.name or PurePath(command).name, options.service, about)


def _read(option: str, name: str, text: str | None, parse: Callable[[str], Any]) -> dict[str, Any]:
    if not text:
        return {}
    try:
        return {name: parse(text)}
    except (ValueError, OverflowError, OSError):
        _logger.warning("waferscope run: %s %r can't be read and is left out", option, text)
        return {}


def moment(text: str) -> datetime:
    """Read a time: ISO 8601, without an offset the local one, or Unix seconds.

    Raises:
        ValueError: It is neither.
    """
    try:
        return datetime.fromtimestamp(float(text)).astimezone()
    except ValueError:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).astimezone()
