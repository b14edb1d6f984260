"""The predecessor's model of an event; field names are those of its wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4


@dataclass(frozen=True)
class AppRef:
    """An application: `service.name` and `service.version` of its telemetry."""

    app_id: UUID
    name: str
    version: str


@dataclass(frozen=True)
class EntityRef:
    """A job or a subjob.

    Attributes:
        type: `job` or `subjob`.
        id: `wafer.job.id`.
        parent_id: `wafer.job.parent.id`.
        business_key: `wafer.job.key`; kept as it is, never guessed to be a lot.
        sub_key: `wafer.job.sub_key`.
    """

    type: str
    id: UUID
    parent_id: UUID | None
    business_key: str | None
    sub_key: str | None


@dataclass(frozen=True)
class EventPayload:
    """What happened.

    Attributes:
        kind: `started`, `progress`, `metric`, `finished`, `error` or `canceled`.
        at: When.
        metrics: `duration_s`, `cpu_user_s`, `cpu_system_s`, `mem_max_mb` (MiB).
        status: `running`, `succeeded`, `failed` or `canceled`.
        metadata: The author's own.
    """

    kind: str
    at: datetime
    metrics: Mapping[str, float]
    status: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class JobEvent:
    """One event of a job or a subjob."""

    idempotency_key: UUID
    site_id: str
    app: AppRef
    entity: EntityRef
    event: EventPayload

    @staticmethod
    def now(
        kind: str,
        site_id: str,
        app: AppRef,
        entity: EntityRef,
        status: str,
        metrics: Mapping[str, float] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idem: UUID | None = None,
    ) -> JobEvent:
        """Make an event of this moment.

        Args:
            kind: See `EventPayload`.
            site_id: Of the site.
            app: Whose job it is.
            entity: The job or subjob.
            status: See `EventPayload`.
            metrics: See `EventPayload`.
            metadata: See `EventPayload`.
            idem: Its key; None makes a fresh one.
        """
        payload = EventPayload(kind, datetime.now(timezone.utc), dict(metrics or {}), status, dict(metadata or {}))
        return JobEvent(idem or uuid4(), site_id, app, entity, payload)

    def to_json(self) -> dict[str, Any]:
        """Give the event as the predecessor's endpoints take it."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value
