"""What decoding logs and traces yields: rows, and events; their strings are storable, their keys of bounded length.

Spans and ordinary log records leave as the rows that they become, in bytes: an object for each would cost more than all
else that the writer does with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Row = tuple[bytes, bytes]
"""A row for COPY BINARY: its own columns, and what all rows of a resource and scope share, held once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(unix_nano: int) -> datetime:
    """Return a time in UTC, its nanoseconds cut to microseconds."""
    return _EPOCH + timedelta(microseconds=unix_nano // 1000)


def instant_ms(unix_ms: int) -> datetime:
    """Return a time in UTC."""
    return _EPOCH + timedelta(milliseconds=unix_ms)


@dataclass(frozen=True, slots=True)
class Step:
    """A row of step_run; field names are those of the table."""

    site: str
    job_id: str
    attempt: int
    span_id: bytes
    name: str
    index: int
    result: str
    started_at: datetime
    ended_at: datetime
    duration_s: float
    error_type: str | None
    trace_id: bytes
    parent_span_id: bytes | None
    attributes: str  # JSON


@dataclass(frozen=True, slots=True)
class Facts:
    """What an event says of its run: columns of job_run by their names; None stands for what it does not say."""

    name: str | None = None
    service: str | None = None
    version: str | None = None
    host: str | None = None
    parent_job_id: str | None = None
    lot: str | None = None
    carrier: str | None = None
    substrate: str | None = None
    equipment: str | None = None
    module: str | None = None
    recipe: str | None = None
    recipe_version: str | None = None
    operation: str | None = None
    result: str | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    sequence: int | None = None
    heartbeat_interval: float | None = None
    progress_done: float | None = None
    progress_total: float | None = None
    step_name: str | None = None
    step_index: int | None = None
    cpu_user_s: float | None = None
    cpu_system_s: float | None = None
    memory_bytes: int | None = None
    memory_peak_bytes: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    trace_id: bytes | None = None
    span_id: bytes | None = None
    attributes: str | None = None  # JSON: what the author added


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One event of a job's lifecycle."""

    site: str
    job_id: str
    attempt: int
    sequence: int
    at: datetime  # by the host's clock
    name: str
    started_at: datetime  # by the host's clock: `at` less the elapsed time
    trace_id: bytes | None
    span_id: bytes | None
    attributes: str  # JSON: all attributes
    facts: Facts
    idempotency_key: str | None = None  # the predecessor's clients name each event

    @property
    def run(self) -> tuple[str, str, int]:
        """The key of the run that the event belongs to."""
        return self.site, self.job_id, self.attempt

    @property
    def key(self) -> tuple[str, str, int, int, datetime]:
        """The natural key of the event."""
        return self.site, self.job_id, self.attempt, self.sequence, self.at

    @property
    def terminal(self) -> bool:
        """Whether the event ends its run."""
        return self.facts.result is not None


@dataclass(frozen=True, slots=True)
class EquipmentState:
    """A row of equipment_state; field names are those of the table, the empty string stands for none."""

    site: str
    equipment: str
    module: str  # empty: the whole equipment
    at: datetime
    state: str
    reason: str
    service: str
    host: str
    trace_id: bytes | None
    span_id: bytes | None
    attributes: str  # JSON: what else was said


@dataclass(frozen=True, slots=True)
class CarrierEvent:
    """A row of carrier_event; field names are those of the table, the empty string stands for none."""

    site: str
    carrier: str
    equipment: str
    at: datetime
    event: str  # arrived, departed
    load_port: str
    lot: str
    service: str
    host: str
    trace_id: bytes | None
    span_id: bytes | None
    attributes: str  # JSON: what else was said


@dataclass(frozen=True, slots=True)
class Deployment:
    """A row of deployment; field names are those of the table, the empty string stands for none."""

    site: str
    service: str
    at: datetime
    version: str
    host: str
    trace_id: bytes | None
    span_id: bytes | None
    attributes: str  # JSON: what else was said


FabEvent = EquipmentState | CarrierEvent | Deployment


@dataclass(frozen=True, slots=True)
class Logs:
    """All records of a request: ordinary ones, events of jobs, and what equipment, carriers, deployments announce."""

    records: Sequence[Row]
    events: tuple[JobEvent, ...]
    fab: tuple[FabEvent, ...]
    days: frozenset[int]  # of ordinary records, days of Unix time

    @property
    def size(self) -> int:
        """How many records there are."""
        return len(self.records) + len(self.events) + len(self.fab)


@dataclass(frozen=True, slots=True)
class Traces:
    """All spans of a request, and the steps among them once more as such."""

    spans: Sequence[Row]
    steps: tuple[Step, ...]
    days: frozenset[int]  # of starts, days of Unix time
