"""Pauses of the garbage collector, where the author asks for them: its hook costs each collection some 0.2 µs."""

from __future__ import annotations

import gc
from time import perf_counter


class Pauses:
    """Adds up how long collections have stopped this process.

    Attributes:
        seconds: So far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began: float | None = None

    def watch(self) -> Pauses:
        """Hook into the garbage collector, once however often the wrapper is configured."""
        if self._note not in gc.callbacks:
            gc.callbacks.append(self._note)
        return self

    def _note(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
        elif self._began is not None:
            self.seconds += perf_counter() - self._began
            self._began = None


PAUSES = Pauses()
