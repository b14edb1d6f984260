"""Log events of equipment, carriers and deployments to what they announce."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from waferscope_collector.decode.attributes import Plain, json_text
from waferscope_collector.decode.limits import LONG_KEY
from waferscope_collector.decode.records import CarrierEvent, Deployment, EquipmentState, FabEvent
from waferscope_collector.decode.resource import Origin
from waferscope_collector.decode.typed import BadAttributeError, Typed

# SEMI E10.
STATES = frozenset({"PRD", "SBY", "ENG", "SDT", "UDT", "NST"})


@dataclass(frozen=True, slots=True)
class Announcement:
    """A log event, before anything is made of it."""

    name: str
    at: datetime  # by the clock of who announced it
    read: Typed
    source: Origin
    trace_id: bytes | None
    span_id: bytes | None

    def needed(self, key: str) -> str:
        """Read an id that the event is nothing without.

        Raises:
            BadAttributeError: It is missing or too long.
        """
        found = self.read.key(key)
        if found is None:
            raise BadAttributeError(f"named {self.name} without {key}")
        return found

    def rest(self) -> str:
        """Return as JSON what nobody has asked for."""
        return json_text(self.read.rest())


def fab_event(
    name: str, *, at: datetime, attributes: Mapping[str, Plain], source: Origin, trace_id: bytes, span_id: bytes
) -> FabEvent:
    """Read an event.

    Args:
        name: The event's name, one of `EVENTS`.
        at: The event's time by the host's clock.
        attributes: Of the log record, storable.
        source: Where it comes from.
        trace_id: Of the span that it was announced in; empty for none.
        span_id: Of the span that it was announced in; empty for none.

    Returns:
        What is announced.

    Raises:
        BadAttributeError: An id is missing or too long, or the state is none of SEMI E10.
    """
    if not source.fits:
        raise BadAttributeError(LONG_KEY)
    return EVENTS[name](Announcement(name, at, Typed(attributes), source, trace_id or None, span_id or None))


def _equipment_state(said: Announcement) -> EquipmentState:
    equipment, module = said.needed("wafer.equipment.id"), said.read.key("wafer.module.id")
    state = said.read.text("wafer.equipment.state")
    if state not in STATES:
        raise BadAttributeError(f"named {said.name} without a known wafer.equipment.state")
    return EquipmentState(
        site=said.source.site,
        equipment=equipment,
        module=module or "",
        at=said.at,
        state=state,
        reason=said.read.text("wafer.equipment.state_reason") or "",
        service=said.source.service,
        host=said.source.host,
        trace_id=said.trace_id,
        span_id=said.span_id,
        attributes=said.rest(),
    )


def _carrier_event(said: Announcement) -> CarrierEvent:
    return CarrierEvent(
        site=said.source.site,
        carrier=said.needed("wafer.carrier.id"),
        equipment=said.needed("wafer.equipment.id"),
        at=said.at,
        event=said.name.rpartition(".")[2],
        load_port=said.read.key("wafer.load_port.id") or "",
        lot=said.read.key("wafer.lot.id") or "",
        service=said.source.service,
        host=said.source.host,
        trace_id=said.trace_id,
        span_id=said.span_id,
        attributes=said.rest(),
    )


def _deployment(said: Announcement) -> Deployment:
    """Read a deployment; a service that announces its own is known by its resource."""
    service = said.read.key("service.name") or said.source.service
    version = said.read.key("service.version") or (said.source.version if service == said.source.service else "")
    for key, found in (("service.name", service), ("service.version", version)):
        if not found:
            raise BadAttributeError(f"named {said.name} without {key}")
    return Deployment(
        site=said.source.site,
        service=service,
        at=said.at,
        version=version,
        host=said.source.host,
        trace_id=said.trace_id,
        span_id=said.span_id,
        attributes=said.rest(),
    )


EVENTS: Mapping[str, Callable[[Announcement], FabEvent]] = {
    "wafer.equipment.state.changed": _equipment_state,
    "wafer.carrier.arrived": _carrier_event,
    "wafer.carrier.departed": _carrier_event,
    "wafer.deployment": _deployment,
}
