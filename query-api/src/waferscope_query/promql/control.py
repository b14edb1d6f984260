"""Stopping a query: by deadline or because nobody waits for it any more."""

from __future__ import annotations

import threading
import time

from waferscope_query.promql.errors import QueryCanceledError, QueryTimeoutError
from waferscope_query.promql.usage import Usage


class Control:
    """Checked by the stages between blocks of work; `cancel` may be called from any thread.

    Args:
        timeout: Seconds from now until the query counts as too slow; None for no deadline.
        usage: What the query may use and has used; None: no limits.

    Attributes:
        waited: Seconds that the query stood in the queue.
    """

    def __init__(self, timeout: float | None = None, usage: Usage | None = None) -> None:
        self.usage = usage or Usage()
        self.waited = 0.0
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._canceled = threading.Event()

    def cancel(self) -> None:
        """Let the next check end the query."""
        self._canceled.set()

    def check(self, stage: str = "expression evaluation") -> None:
        """Go on, or not.

        Raises:
            QueryCanceledError: `cancel` was called.
            QueryTimeoutError: The deadline has passed.
        """
        if self._canceled.is_set():
            raise QueryCanceledError(stage)
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise QueryTimeoutError(stage)
