"""`waferscope deployment`: tell that a version of an application was put into service."""

from __future__ import annotations

import argparse
import os
from datetime import datetime

_TIMEOUT = 10.0  # s: the caller waits for one event


class UndeliveredError(Exception):
    """The event did not arrive; the process ends, so it is lost."""

    exit_code = 1


def deployment(parser: argparse.ArgumentParser) -> None:
    """Tell that a version was put into service.

    Args:
        parser: The parser of `waferscope deployment`.
    """
    parser.add_argument("version", metavar="VERSION", help="service.version")
    parser.add_argument("--service", help="service.name (default: OTEL_SERVICE_NAME)")
    parser.add_argument("--site", help="wafer.site.id (default: WAFERSCOPE_SITE, else the Collector's)")
    parser.add_argument("--at", type=_moment, metavar="TIME", help="when: ISO 8601 or Unix seconds (default: now)")
    parser.epilog = "Exit code 0 when the receiver has taken it, else 1."
    parser.set_defaults(run=_run, usage_error=parser.error)


def _moment(text: str) -> datetime:
    from waferscope._internal.commands.run import moment  # noqa: PLC0415 - not for a listing of the commands

    try:
        return moment(text)
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is neither ISO 8601 nor Unix seconds") from None


def _run(options: argparse.Namespace) -> int:
    service = options.service or os.environ.get("OTEL_SERVICE_NAME")
    if not service:
        options.usage_error("which service? Give --service or set OTEL_SERVICE_NAME")
    what = f"the deployment of {service} {options.version}"
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        raise UndeliveredError(f"{what} was not sent: OTEL_SDK_DISABLED is set")

    import waferscope  # noqa: PLC0415 - OpenTelemetry is slow to import

    waferscope.configure(site=options.site, service=service)
    waferscope.deployment(options.version, service=service, at=options.at)
    if not waferscope.flush(_TIMEOUT):
        raise UndeliveredError(f"{what} was not delivered and is lost; see `waferscope doctor`, then send it again")
    return 0
