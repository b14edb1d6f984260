"""An iteration that tells how far its job is."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from waferscope._internal import arguments, bar, guard

if TYPE_CHECKING:
    from waferscope._internal.job import Job

T = TypeVar("T")


class Track(Generic[T]):
    """The items of an iterable; each that is left behind counts as done."""

    def __init__(self, job: Job, items: Iterable[T] | AsyncIterable[T], total: int | None, unit: str) -> None:
        self._job = job
        self._items = items
        self._unit = unit
        self._total = self._length() if total is None else _total(total)

    def __len__(self) -> int:
        """Give the length of what is iterated over."""
        return len(self._items)  # type: ignore[arg-type] # raises as it would without us

    def __iter__(self) -> Iterator[T]:
        shown = self._begin()
        try:
            for done, item in enumerate(self._items, start=1):  # type: ignore[arg-type] # raises as it would without us
                yield item
                self._note(shown, done)
        finally:
            bar.close(shown)

    async def __aiter__(self) -> AsyncIterator[T]:
        shown = self._begin()
        done = 0
        try:
            async for item in self._items:  # type: ignore[union-attr] # raises as it would without us
                yield item
                done += 1
                self._note(shown, done)
        finally:
            bar.close(shown)

    def _begin(self) -> bar.Bar | None:
        self._job.progress(0, self._total)
        return bar.show(self._job.name, self._total, self._unit)

    def _note(self, shown: bar.Bar | None, done: int) -> None:
        self._job.progress(done, self._total)
        if shown is not None:
            shown.update(done)

    def _length(self) -> int | None:
        with guard.ARGUMENTS:
            if hasattr(type(self._items), "__len__"):
                return len(self._items)  # type: ignore[arg-type] # it has one
        return None


def _total(given: int) -> int | None:
    with guard.ARGUMENTS:
        return arguments.whole("total", given, None, least=0)
    return None
