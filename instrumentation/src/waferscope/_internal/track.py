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
        self._unit = "it"
        self._total: int | None = None
        with guard.ARGUMENTS:
            self._unit = arguments.prose("the unit", unit)
            self._total = self._length() if total is None else arguments.whole("total", total, None, least=0)

    def __bool__(self) -> bool:
        """Tell whether what is iterated over counts as true: a generator does, an empty list does not."""
        return bool(self._items)

    def __len__(self) -> int:
        """Give the length of what is iterated over."""
        return len(self._items)  # type: ignore[arg-type] # raises as it would without us

    def __iter__(self) -> Iterator[T]:
        count = _Count(self._job, self._total, self._unit)
        try:
            for done, item in enumerate(self._items, start=1):  # type: ignore[arg-type] # raises as it would without us
                yield item
                count.note(done)
        finally:
            count.close()

    async def __aiter__(self) -> AsyncIterator[T]:
        count = _Count(self._job, self._total, self._unit)
        done = 0
        try:
            async for item in self._items:  # type: ignore[union-attr] # raises as it would without us
                yield item
                done += 1
                count.note(done)
        finally:
            count.close()

    def _length(self) -> int | None:
        return len(self._items) if hasattr(type(self._items), "__len__") else None  # type: ignore[arg-type] # it has one


class _Count:
    """One iteration: tells how far its job is, unless it runs within another one over the same job."""

    def __init__(self, job: Job, total: int | None, unit: str) -> None:
        self._job = job
        self._total = total
        self._is_outermost = job._claim(self)
        self._bar = bar.show(job.name, total, unit)
        self._tell(0)

    def note(self, done: int) -> None:
        """Note that one more is done."""
        self._tell(done)
        if self._bar is not None:
            self._bar.update(done)

    def close(self) -> None:
        """Leave the bar's line, and the job to the next iteration."""
        bar.close(self._bar)
        if self._is_outermost:
            self._job._release()

    def _tell(self, done: int) -> None:
        if self._is_outermost:
            total = self._total
            self._job.progress(done, total if total is None or done <= total else None)  # a wrong total is none
