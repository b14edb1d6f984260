"""HTTP requests that end in time and tell why they failed."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from time import time

TIMEOUT = 3.0  # s
_BODY = 4_000_000  # bytes of an answer that are read


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: HTTP status.
        body: Its beginning.
        date: The server's clock, Unix seconds, cut to whole ones; None when it did not tell.
        sent: Unix seconds by this host's clock when the request left.
        received: And when the answer was there.
    """

    status: int
    body: bytes
    date: float | None
    sent: float
    received: float


class NoAnswerError(Exception):
    """There was no answer; the text tells why."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow no redirect: the exporter's POST would become a GET."""


def ask(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, signal: str = "") -> Answer:
    """Send a request and give the answer, whatever its status.

    Args:
        url: http or https. Proxies of the environment apply, as they do to the exporter.
        body: Makes it a POST.
        headers: Of the request.
        signal: `traces`, `logs` or `metrics`, whose TLS settings apply.

    Raises:
        NoAnswerError: There was none.
    """
    done: list[Answer | Exception] = []

    def exchange() -> None:
        try:
            done.append(_exchange(url, body, headers or {}, signal))
        except (OSError, ValueError, HTTPException) as error:
            done.append(error)

    # In a thread: the socket's timeout bounds neither the resolver nor an answer that comes drop by drop.
    thread = threading.Thread(target=exchange, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    found = done[0] if done else TimeoutError()
    if isinstance(found, Exception):
        raise NoAnswerError(_why(found)) from found
    return found


def _exchange(url: str, body: bytes | None, headers: Mapping[str, str], signal: str) -> Answer:
    request = urllib.request.Request(url, body, dict(headers))  # noqa: S310 - whatever the user has set
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_tls(signal)), _Stay)
    sent = time()
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return _answer(response, sent)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error, sent)


def at(host: str, port: str) -> str:
    """Give the URL of a port of a host, which may be an IPv6 address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _answer(response: object, sent: float) -> Answer:
    received = time()
    date = None
    with contextlib.suppress(TypeError, ValueError):
        date = parsedate_to_datetime(response.headers["Date"]).timestamp()  # type: ignore[attr-defined]
    body = response.read(_BODY)  # type: ignore[attr-defined]
    return Answer(response.status, body, date, sent, received)  # type: ignore[attr-defined]


_REASONS: tuple[tuple[type[Exception], str], ...] = (  # the narrower kind first
    (ssl.SSLCertVerificationError, "its certificate is not trusted ({error})"),
    (ssl.SSLError, "no TLS there ({error})"),
    (socket.gaierror, "its name can't be resolved ({error})"),
    (TimeoutError, f"no answer within {TIMEOUT:g} s"),
    (ConnectionRefusedError, "nothing listens there (connection refused)"),
    (HTTPException, "what answers there speaks no HTTP ({error})"),
)


def _why(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    for kind, text in _REASONS:
        if isinstance(reason, kind):
            return text.format(error=str(reason).strip() or type(reason).__name__)
    return str(reason)


def _tls(signal: str) -> ssl.SSLContext:
    """Trust whom the exporter trusts: its certificate file, else what `requests` takes."""

    def setting(name: str) -> str | None:
        own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}") if signal else None
        return own or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") or None

    authorities = setting("CERTIFICATE") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if not authorities:
        from requests.utils import DEFAULT_CA_BUNDLE_PATH  # noqa: PLC0415 - comes with the exporter, and only it knows

        authorities = DEFAULT_CA_BUNDLE_PATH
    if os.path.isdir(authorities):  # noqa: PTH112 - a path as the environment has it
        context = ssl.create_default_context(capath=authorities)
    else:
        context = ssl.create_default_context(cafile=authorities)
    certificate = setting("CLIENT_CERTIFICATE")
    if certificate:
        context.load_cert_chain(certificate, setting("CLIENT_KEY"))
    return context
