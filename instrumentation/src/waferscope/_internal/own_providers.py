"""The SDK's providers, made here where the host has set up none: forks of the host's don't wait for them."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider


class _Patient:
    """Asks anew what differs in the child of a fork when it is first used there, not amid the fork.

    Else the SDK would look through the metadata of all installed packages, in threads, in every child: 5-10 ms for
    children that never tell anything.
    """

    _forked = False

    def _handle_fork(self) -> None:
        """Note it; the SDK's fork hook calls this."""
        self._forked = True

    def settle(self) -> None:
        """Do what the fork hook would have done."""
        if self._forked:
            self._forked = False
            super()._handle_fork()  # type: ignore[misc] # called only where the SDK has it


class PatientTracerProvider(_Patient, TracerProvider):
    """See `_Patient`."""

    def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
        """See `TracerProvider.get_tracer`; the locks that it takes are the parent's until it has settled."""
        self.settle()
        return super().get_tracer(*args, **kwargs)


class PatientLoggerProvider(_Patient, LoggerProvider):
    """See `_Patient`."""

    def get_logger(self, *args: Any, **kwargs: Any) -> Any:
        """See `LoggerProvider.get_logger`; the locks that it takes are the parent's until it has settled."""
        self.settle()
        return super().get_logger(*args, **kwargs)
