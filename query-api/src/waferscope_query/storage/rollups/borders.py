"""From when on everything is kept, as the writer's maintenance tells before it drops anything."""

import time
from datetime import UTC, datetime, timedelta

from waferscope_query.promql.history import Borders
from waferscope_query.storage.database import Database
from waferscope_schemas import queries

_SQL = queries.load("waferscope_query")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_NEVER_MS = -(1 << 62)

POLL_S = 5.0
"""How old the answer may be: less than the maintenance waits between telling of a border and dropping."""

_RAW = ("sample", "histogram_sample")
_FIVE_MINUTES = ("rollup_5m", "rollup_5m_histogram")


class BorderWatch:
    """Knows a site's borders, and asks again when its knowledge is old.

    Args:
        database: The site's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Borders | None = None
        self._asked_at: float | None = None  # by time.monotonic

    async def borders(self) -> Borders | None:
        """From when on everything is kept; None where nothing was ever dropped.

        Raises:
            StorageError: The database doesn't tell.
        """
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at >= POLL_S:
            async with self._database.connection() as connection:
                rows = await connection.fetch(_SQL["retention_borders"])
            self._known = _borders({row["relation"]: row["before_ts"] for row in rows})
            self._asked_at = now
        return self._known


def _borders(told: dict[str, datetime]) -> Borders | None:
    """One border for floats and histograms: of a selector nobody knows before it is read which it finds."""
    raw, five_minutes = (
        max((_ms(told[relation]) for relation in relations if relation in told), default=_NEVER_MS)
        for relations in (_RAW, _FIVE_MINUTES)
    )
    return None if raw == _NEVER_MS else Borders(raw, five_minutes)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS
