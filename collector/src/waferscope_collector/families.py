"""What producers say of metrics beside their series: remote write 1.0 sends it apart, before or after."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.decode.points import Family, Kind, Series
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")

_MOST = 100_000  # names that are remembered
_SUFFIXES: dict[Kind, tuple[tuple[str, Kind], ...]] = {
    "counter": (("", "counter"), ("_total", "counter")),
    "histogram": (("_bucket", "counter"), ("_count", "counter"), ("_sum", "counter")),  # native ones say it themselves
    "summary": (("", "summary"), ("_count", "summary"), ("_sum", "summary")),
    "info": (("", "info"), ("_info", "info")),
}


class Families:
    """What is known of metrics, by the names of their series."""

    def __init__(self) -> None:
        self._known: dict[str, Family] = {}

    def learn(self, families: Iterable[Family]) -> list[Family]:
        """Remember what was said.

        Returns:
            What is new of it, one entry per name of series; `forget` it if it can't be told.
        """
        said = {
            family.name + suffix: replace(family, name=family.name + suffix, kind=kind)
            for family in families
            for suffix, kind in _SUFFIXES.get(family.kind, (("", family.kind),))
        }
        new = [family for name, family in said.items() if self._known.get(name) != family]
        if len(self._known) + len(new) > _MOST:
            self._known.clear()
        self._known.update((family.name, family) for family in new)
        return new

    def forget(self, families: Iterable[Family]) -> None:
        """Take back what was learned, so that it is new again."""
        for family in families:
            self._known.pop(family.name, None)

    def complete(self, series: Series) -> Series:
        """Add what is known to a series that says nothing itself."""
        known = self._known.get(series.metric)
        if known is None or series.kind != "unknown":
            return series
        return replace(series, kind=known.kind, unit=known.unit, help=known.help)


async def tell(conn: PoolConnectionProxy, families: Sequence[Family]) -> None:
    """Tell the series that are there already.

    Args:
        conn: A connection outside of a transaction.
        families: One entry per name of series.
    """
    rows = sorted(families, key=lambda family: family.name)
    columns = zip(*((row.name, row.kind, row.unit, row.help) for row in rows), strict=True)
    await conn.execute(_SQL["update_families"], *map(list, columns))
