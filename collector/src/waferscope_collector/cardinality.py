"""The guard against series without end: a site and each metric have so many, and points of further ones are refused."""

import time
from collections import Counter
from collections.abc import Sequence

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.decode.limits import Limits
from waferscope_collector.decode.points import Series
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")

_PERIOD = 600.0  # s, after which is counted anew: other writers create series as well, and people delete some


class Cardinality:
    """Decides which new series may be created.

    Args:
        limits: How many there may be.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = 0
        self._of_metric: Counter[str] = Counter()
        self._counted = -_PERIOD
        self.refused: Counter[str] = Counter()  # series by metric, since somebody looked

    @property
    def due(self) -> bool:
        """Whether the counts are old: then what was refused may be asked for again."""
        return time.monotonic() - self._counted >= _PERIOD

    async def refuse(self, conn: PoolConnectionProxy, series: Sequence[Series]) -> dict[bytes, str]:
        """Tell which series may not be created, and count the others as created.

        Args:
            conn: A connection.
            series: Series that are not there.

        Returns:
            The reason by fingerprint.
        """
        await self._count(conn, {item.metric for item in series})
        refused = {}
        for item in series:
            if reason := self._reason(item.metric):
                refused[item.fingerprint] = reason
                self.refused[item.metric] += 1
            else:
                self._total += 1
                self._of_metric[item.metric] += 1
        return refused

    def _reason(self, metric: str) -> str:
        if self._of_metric[metric] >= self._limits.metric_series:
            return f"of new series of {metric}, which has its limit of {self._limits.metric_series} series"
        if self._total >= self._limits.series:
            return f"of new series of {metric}: the site has its limit of {self._limits.series} series"
        return ""

    async def _count(self, conn: PoolConnectionProxy, metrics: set[str]) -> None:
        if self.due:
            self._total = await conn.fetchval(_SQL["count_series"], self._limits.series)
            self._of_metric.clear()
            self._counted = time.monotonic()
        unknown = sorted(metrics - self._of_metric.keys())
        if unknown:
            self._of_metric.update(dict.fromkeys(unknown, 0))
            rows = await conn.fetch(_SQL["count_series_of_metrics"], unknown)
            self._of_metric.update({row["metric"]: row["series"] for row in rows})
