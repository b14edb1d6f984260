"""HTTP for the exporters: safe over a fork, and in a hurry when the process ends."""

from __future__ import annotations

import netrc  # noqa: F401 - requests imports it at the first request: a fork amid that would lock it in the child for good
import threading
from collections.abc import Callable
from enum import Enum
from http import HTTPStatus
from time import monotonic
from typing import Any

import requests
from requests.adapters import HTTPAdapter

_TRANSIENT = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class Failure(Enum):
    """Why a batch did not arrive, and so what to do with it."""

    PASSING = "no connection, or an answer that asks for another try: send it again as it is"
    DIVISIBLE = "too large, or not even sent, since one of its records can't be encoded: send its parts"
    REFUSED = "refused for good: drop it"


class HurriedError(Exception):
    """No connection, and no time to try again: the process ends. No `requests` error, so the exporter gives up."""


class Transport(HTTPAdapter):
    """What a session sends with. Remembers how the last request failed; obeys a deadline once one is set.

    Attributes:
        failure: Of the last request (OTLP specification, "OTLP/HTTP Response": 429, 502, 503, 504 ask for another
            try); DIVISIBLE while there was none.
        deadline: By the monotonic clock; None while the process lives.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failure = Failure.DIVISIBLE
        self.deadline: float | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request; see `HTTPAdapter.send`.

        Raises:
            HurriedError: The receiver can't be reached while the process ends.
        """
        self.failure = Failure.PASSING
        if self.deadline is None:
            response = super().send(request, *args, **kwargs)
        else:
            response = self._hurried(request, *args, **kwargs)
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self.failure = Failure.DIVISIBLE
        elif response.status_code not in _TRANSIENT:
            self.failure = Failure.REFUSED
        return response

    def _hurried(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        remaining = max((self.deadline or 0.0) - monotonic(), 0.001)
        try:
            return super().send(request, *args, **{**kwargs, "timeout": remaining})
        except requests.RequestException as error:
            raise HurriedError(str(error)) from error


class Route:
    """An exporter that brings its own transport: what it does over a fork and at the end is its own affair."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter

    @property
    def exporter(self) -> Any:
        """Give the exporter, of the OpenTelemetry SDK, of any signal."""
        return self._exporter

    def failure(self) -> Failure:
        """Tell why the last batch did not arrive."""
        return Failure.REFUSED

    def hurry(self) -> None:
        """Send without second tries: somebody waits for it."""

    def calm(self) -> None:
        """Send with second tries again."""

    def last(self, deadline: float) -> None:
        """Send without second tries and no longer than `deadline` (monotonic clock, s)."""

    def renew(self) -> None:
        """Make it fit for the child of a fork."""


class Line(Route):
    """An OTLP/HTTP exporter with a session and a transport of its own, all made anew in a forked child that sends.

    A child must not speak on the parent's connections, nor touch the locks around them, of the session's cookies or of
    the exporter's pauses: another thread of the parent may have held one at the fork. So the parent's are kept
    untouched beside the new ones; freeing them would take such locks, too. Most children never send: what is new is
    made when it is needed, for it takes a millisecond.
    """

    def __init__(self, make: Callable[[requests.Session], Any]) -> None:
        self._make = make
        self._abandoned: list[Any] = []
        self._lock = threading.Lock()
        self._transport = Transport()
        super().__init__(self._connected())

    @property
    def exporter(self) -> Any:
        """Give the exporter of this process."""
        if self._exporter is None:
            with self._lock:  # the thread that sends and one that hurries it may both be the first
                if self._exporter is None:
                    self._transport = Transport()
                    self._exporter = self._connected()
        return self._exporter

    def failure(self) -> Failure:
        """Tell why the last batch did not arrive."""
        failure, self._transport.failure = self._transport.failure, Failure.DIVISIBLE
        return failure

    def hurry(self) -> None:
        """Send without second tries: somebody waits for it."""
        pause = self._pause()
        if pause is not None:
            pause.set()

    def calm(self) -> None:
        """Send with second tries again, unless the process ends."""
        pause = self._pause()
        if pause is not None and self._transport.deadline is None:
            pause.clear()

    def last(self, deadline: float) -> None:
        """Send without second tries and no longer than `deadline` (monotonic clock, s)."""
        pause = self._pause()  # first: in a forked child that makes the transport
        self._transport.deadline = deadline
        if pause is not None:
            pause.set()

    def renew(self) -> None:
        """Leave the parent's exporter, session and connections alone, in the child of a fork."""
        self._lock = threading.Lock()
        if self._exporter is not None:
            self._abandoned.append((self._exporter, self._transport))
            self._exporter = None

    def _pause(self) -> Any:
        """Give what the exporter waits for between two tries, the only way to end that; None where it has none."""
        return getattr(getattr(self.exporter, "_client", None), "_shutdown_event", None)

    def _connected(self) -> Any:
        session = requests.Session()
        session.mount("http://", self._transport)
        session.mount("https://", self._transport)
        return self._make(session)
