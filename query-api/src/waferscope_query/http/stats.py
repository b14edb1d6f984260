"""The statistics of a query, as Prometheus tells them where `stats` is asked for (util/stats, BuiltinStats)."""

from typing import Any

from waferscope_query.promql.evaluation.counting import Counts
from waferscope_query.promql.evaluation.tracing import Trace

_BASIC, _ALL = "true", "all"


def warning(asked: str) -> tuple[str, ...]:
    """Warn of a value of `stats` that Prometheus is going to refuse."""
    if asked in {"", _BASIC, _ALL}:
        return ()
    told = f'value "{asked}" for parameter "stats" is deprecated and will be rejected in the next major release'
    return (f'{told}, use "{_BASIC}" or "{_ALL}"',)


def statistics(trace: Trace, asked: str, waited: float) -> dict[str, Any]:
    """Give the object `stats`.

    Args:
        trace: Of the query.
        asked: The parameter; `all` asks for counts of each step as well.
        waited: Seconds in the queue.
    """
    evaluated, counts = trace.selecting + trace.evaluating, trace.counts
    samples: dict[str, Any] = {}
    if asked == _ALL:
        samples["totalQueryableSamplesPerStep"] = _per_step(trace, counts.consumed)
    samples["totalQueryableSamples"] = int(counts.consumed.sum())
    if asked == _ALL:
        samples["samplesReadPerStep"] = _per_step(trace, counts.read)
    samples["samplesRead"] = int(counts.read.sum())
    samples["seriesTouched"] = counts.series
    samples["peakSamples"] = trace.peak
    return {
        "timings": {
            "evalTotalTime": evaluated,
            "resultSortTime": 0.0,  # series are sorted while they are rendered
            "queryPreparationTime": trace.selecting,
            "innerEvalTime": trace.evaluating,
            "execQueueTime": waited,
            "execTotalTime": waited + evaluated,
        },
        "samples": samples,
    }


def with_statistics(data: bytes, found: bytes) -> bytes:
    """Put statistics, as JSON, into an answer's object `data`."""
    return b'%s,"stats":%s}' % (data[:-1], found)


def _per_step(trace: Trace, counts: Counts) -> list[tuple[float, int]]:
    times = (trace.counts.grid.times / 1000).tolist()
    return list(zip(times, counts.tolist(), strict=True))
