"""Answering a range query with the help of what was answered before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.grid import Grid
from waferscope_query.promql.render import render
from waferscope_query.results.cache import Attempt, Entry, Key, ResultCache
from waferscope_query.results.matrix import Matrix
from waferscope_query.results.reach import Reach

_SMALL = 100_000  # bytes that are put together within a millisecond


@dataclass(frozen=True, slots=True)
class Result:
    """A rendered answer: JSON, and what is to be said of it."""

    data: bytes
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A range query.

    Attributes:
        key: Which answers share steps with this one.
        grid: The steps.
        reach: What each stands on.
    """

    key: Key
    grid: Grid
    reach: Reach


@dataclass(frozen=True, slots=True)
class Piece:
    """Some steps of an answer: as text, or rendered as a whole where it can't be taken apart; what is said of them."""

    matrix: Matrix | None
    data: bytes
    warnings: tuple[str, ...]
    infos: tuple[str, ...]

    @classmethod
    def of(cls, answer: Answer) -> Piece:
        """Render an answer."""
        matrix = Matrix.of(answer)
        return cls(matrix, b"" if matrix is not None else render(answer), answer.warnings, answer.infos)


async def answer_by_steps(
    cache: ResultCache,
    question: Question,
    compute: Callable[[Grid], Awaitable[Piece]],
    refresh: Callable[[], Awaitable[None]],
) -> Result:
    """Answer a range query, computing only what isn't known.

    Args:
        cache: What was answered before.
        question: What is asked.
        compute: Evaluates some steps, over what was committed before the call.
        refresh: Asks the change feed, so that the cache knows of everything that was committed before the call.

    Raises:
        PromQLError: As `compute` does.
        StorageError: As `compute` and `refresh` do.
    """
    async with cache.turn(question.key):
        if question.key in cache:
            await refresh()
        with cache.attempt(question.key, question.grid) as attempt:
            piece = None if attempt.missing is None else await compute(attempt.missing)
            if attempt.entry is None or attempt.holds():
                result = await _finished(cache, attempt, piece, question.reach)
                if result is not None:
                    return result
    piece = await compute(question.grid)  # late data amid the query, or histograms beside floats: all of it anew
    data = piece.data if piece.matrix is None else await asyncio.to_thread(piece.matrix.data)
    return Result(data, piece.warnings, piece.infos)


async def _finished(cache: ResultCache, attempt: Attempt, piece: Piece | None, reach: Reach) -> Result | None:
    """Put known and computed steps together, and keep them; None where that can't be done."""
    warnings: tuple[str, ...] = () if piece is None else piece.warnings
    infos: tuple[str, ...] = () if piece is None else piece.infos
    if piece is not None and piece.matrix is None:
        return None if attempt.entry is not None else Result(piece.data, warnings, infos)
    if attempt.entry is not None:
        infos = tuple(dict.fromkeys((*attempt.entry.infos, *infos)))
    cache.hits += attempt.known.count if attempt.known is not None else 0
    cache.misses += attempt.missing.count if attempt.missing is not None else 0
    matrix = None if piece is None else piece.matrix
    known = None if attempt.entry is None else attempt.entry.matrix
    if sum(one.nbytes for one in (matrix, known) if one is not None) <= _SMALL:
        entry, data = _joined(attempt, matrix, reach, infos)
    else:
        entry, data = await asyncio.to_thread(_joined, attempt, matrix, reach, infos)
    if piece is not None and not warnings:
        cache.keep(attempt, entry)
    return Result(data, warnings, infos)


def _joined(attempt: Attempt, matrix: Matrix | None, reach: Reach, infos: tuple[str, ...]) -> tuple[Entry, bytes]:
    """Put known and computed steps together: what to keep, and what to answer."""
    grid, joined = attempt.joined(matrix)
    entry = Entry(grid, joined, reach, infos, (grid.start_ms, grid.last_ms))
    return entry, entry.part(attempt.grid).data()
