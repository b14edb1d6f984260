"""What decoding a request needs beside its bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from waferscope_collector.decode.limits import Limits, Rejects
from waferscope_collector.decode.resource import PROMOTED
from waferscope_collector.retention import Retention

_TABLES = ("sample", "histogram_sample", "exemplar", "log_record", "span", "job_event", "equipment_state")
_NANOS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Context:
    """How one request is decoded."""

    site: str  # of telemetry that names none
    latest: int  # the last timestamp that is accepted, Unix time in nanoseconds
    seed: tuple[int, int]  # of the keys of series
    rejects: Rejects  # counts what can't be stored
    promoted: Sequence[str] = PROMOTED  # attributes of resources that become labels of every series
    limits: Limits = field(default_factory=Limits)
    oldest: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(_TABLES, 0))  # by table, as `latest`


@dataclass(frozen=True, slots=True)
class Rules:
    """How all requests are decoded."""

    site: str
    promoted: Sequence[str] = PROMOTED
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)

    def context(self, received: int, seed: tuple[int, int], rejects: Rejects) -> Context:
        """Return how a request is decoded.

        Args:
            received: When it came, Unix time in nanoseconds.
            seed: Of the keys of series.
            rejects: Counts what can't be stored.
        """
        return Context(
            site=self.site,
            latest=received + int(self.limits.future * _NANOS),
            seed=seed,
            rejects=rejects,
            promoted=self.promoted,
            limits=self.limits,
            oldest={table: self.retention.oldest(table, received) for table in _TABLES},
        )
