"""How long each table keeps its rows, and from when on a record is therefore still taken in."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from types import MappingProxyType

_NANOS = 1000  # per microsecond


@dataclass(frozen=True, slots=True)
class Retention:
    """Periods by table; None keeps rows for ever."""

    sample: timedelta | None = None
    histogram_sample: timedelta | None = None
    exemplar: timedelta | None = None
    log_record: timedelta | None = None
    span: timedelta | None = None
    job_event: timedelta | None = None
    rollup_5m: timedelta | None = None
    rollup_1h: timedelta | None = None
    job_run: timedelta | None = None
    step_run: timedelta | None = None
    equipment_state: timedelta | None = None

    @classmethod
    def of(cls, settings: object) -> "Retention":
        """Read the periods from the writer's settings."""
        return cls(**{field.name: getattr(settings, f"retention_{field.name}") for field in fields(cls)})

    @property
    def periods(self) -> Mapping[str, timedelta]:
        """The tables that don't keep their rows for ever."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return MappingProxyType({table: period for table, period in every.items() if period is not None})

    def oldest(self, table: str, now: int) -> int:
        """Tell from when on records of a table are taken in: an older one would be dropped at once.

        Args:
            table: A table's name.
            now: Unix time in nanoseconds.

        Returns:
            Unix time in nanoseconds; 0 where all are taken in.
        """
        period: timedelta | None = getattr(self, table)
        return 0 if period is None else now - period // timedelta(microseconds=1) * _NANOS
