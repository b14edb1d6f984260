"""The receiver of the telemetry: does it take what the wrapper would send?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from waferscope._internal.commands.checks.finding import Finding, Level
from waferscope._internal.commands.checks.http import Answer, NoAnswerError, ask
from waferscope._internal.commands.checks.settings import SIGNALS, Target, malformed, target

_OK = range(200, 300)
# An empty request of each signal is an empty message: it asks for everything, and stores nothing.
_EMPTY = b""
_MEANING = {
    400: ("it does not take OTLP", "look whose port this is"),
    401: ("it wants a token", "set OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20…"),
    403: ("it does not accept the token", "check OTEL_EXPORTER_OTLP_HEADERS"),
    404: ("no OTLP receiver at this path", "check port and path; an OTLP/HTTP receiver listens on 4318"),
    405: ("no OTLP receiver at this path", "check port and path; an OTLP/HTTP receiver listens on 4318"),
    413: ("it takes no request of this size", "look at its limits"),
    415: ("it does not take protobuf", "look whose port this is; is it an OTLP/HTTP receiver?"),
    429: ("it is asked too much", "the wrapper tries again; give the receiver more resources"),
    502: ("the proxy before it reaches no receiver", "start the receiver"),
    503: ("it takes nothing for now (back-pressure)", "the wrapper tries again; look at its queue, memory and disk"),
    504: ("the proxy before it gets no answer", "look at the receiver"),
}
_PASSING = (429, 503)


def check(answers: list[tuple[str, Answer]]) -> Iterator[Finding]:
    """Send an empty request of each signal.

    Args:
        answers: Gets the answers by host, for other checks.
    """
    for signal in SIGNALS:
        found = target(signal)
        if found is not None and not malformed(found.url):
            yield _try(found, answers)


def host_and_base() -> tuple[str, str] | None:
    """Give host and base URL of where the logs go, which tell of running jobs; None if nowhere that can be tried."""
    found = target("logs")
    if found is None or malformed(found.url):
        return None
    return urlsplit(found.url).hostname or "", found.url.removesuffix("/v1/logs")


def shown(url: str) -> str:
    """Give a URL without the user and password that may be in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _headers(signal: str) -> dict[str, str]:
    from opentelemetry.util.re import parse_env_headers  # noqa: PLC0415 - as the exporter reads them

    both = ("OTEL_EXPORTER_OTLP_HEADERS", f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS")
    return {
        key: value for name in both for key, value in parse_env_headers(os.environ.get(name, ""), liberal=True).items()
    }


def _try(found: Target, answers: list[tuple[str, Answer]]) -> Finding:
    where = shown(found.url)
    try:
        answer = ask(
            found.url, _EMPTY, {"content-type": "application/x-protobuf", **_headers(found.signal)}, found.signal
        )
    except NoAnswerError as error:
        repair = f"correct {found.variable}" if found.variable else "set OTEL_EXPORTER_OTLP_ENDPOINT"
        return Finding("fail", "endpoint", f"{where}: {error}", f"start the Collector (docs/collector.md) or {repair}")
    answers.append((urlsplit(found.url).hostname or "", answer))
    if answer.status in _OK:
        took = 1000 * (answer.received - answer.sent)
        return Finding("ok", "endpoint", f"{where} takes {found.signal} ({took:.0f} ms)")
    meaning, advice = _MEANING.get(answer.status, ("it refuses", "look at its log"))
    level: Level = "warn" if answer.status in _PASSING else "fail"
    return Finding(level, "endpoint", f"{where} answers {answer.status}: {meaning}", advice)
