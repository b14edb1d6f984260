"""Signals of the fab itself: states of equipment, carriers that come and go, releases of applications."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from waferscope import semconv
from waferscope._internal import arguments, context, guard, process
from waferscope._internal.records import Record

_STATES = {value for name, value in vars(semconv.EquipmentState).items() if name.isupper()}

At = datetime | float | None


class Equipment:
    """One piece of equipment; made by `waferscope.equipment`."""

    __slots__ = ("_id",)

    def __init__(self, equipment_id: str | None) -> None:
        self._id = equipment_id

    def state(self, state: str, *, module: str | None = None, reason: str | None = None, at: At = None) -> None:
        """Tell that the equipment is in another state by SEMI E10.

        Args:
            state: PRD, SBY, ENG, SDT, UDT or NST.
            module: The part that the state is of; None for the whole equipment.
            reason: For people.
            at: Since when, a datetime or Unix seconds; None is now.
        """
        with guard.EVENT:
            known = str(state).upper()
            if known not in _STATES:
                arguments.misuse("%r is no state by SEMI E10 (%s); it is not told", state, ", ".join(sorted(_STATES)))
                return
            said = {
                semconv.WAFER_EQUIPMENT_ID: self._id,
                semconv.WAFER_EQUIPMENT_STATE: known,
                semconv.WAFER_MODULE_ID: arguments.identifier("module", module),
                semconv.WAFER_EQUIPMENT_STATE_REASON: None if reason is None else arguments.prose("the reason", reason),
            }
            _tell(semconv.EVENT_WAFER_EQUIPMENT_STATE_CHANGED, said, at)


class Carrier:
    """One carrier (SEMI E87); made by `waferscope.carrier`."""

    __slots__ = ("_id",)

    def __init__(self, carrier_id: str | None) -> None:
        self._id = carrier_id

    def arrived(self, equipment: str, *, load_port: str | None = None, lot: str | None = None, at: At = None) -> None:
        """Tell that the carrier has arrived at equipment.

        Args:
            equipment: `wafer.equipment.id`.
            load_port: `wafer.load_port.id`.
            lot: The lot in it.
            at: When, a datetime or Unix seconds; None is now.
        """
        self._moved(semconv.EVENT_WAFER_CARRIER_ARRIVED, equipment, load_port, lot, at)

    def departed(self, equipment: str, *, load_port: str | None = None, lot: str | None = None, at: At = None) -> None:
        """Tell that the carrier has left equipment.

        Args:
            equipment: `wafer.equipment.id`.
            load_port: `wafer.load_port.id`.
            lot: The lot in it.
            at: When, a datetime or Unix seconds; None is now.
        """
        self._moved(semconv.EVENT_WAFER_CARRIER_DEPARTED, equipment, load_port, lot, at)

    def _moved(self, name: str, equipment: str, load_port: str | None, lot: str | None, at: At) -> None:
        with guard.EVENT:
            said = {
                semconv.WAFER_CARRIER_ID: self._id,
                semconv.WAFER_EQUIPMENT_ID: arguments.required("equipment", equipment),
                semconv.WAFER_LOAD_PORT_ID: arguments.identifier("load_port", load_port),
                semconv.WAFER_LOT_ID: arguments.identifier("lot", lot),
            }
            _tell(name, said, at)


def equipment(id: str, /) -> Equipment:  # noqa: A002 - the attribute's own name
    """Give a piece of equipment to tell the states of.

    Args:
        id: `wafer.equipment.id`.
    """
    found = None
    with guard.ARGUMENTS:
        found = arguments.required("equipment", id)
    return Equipment(found)


def carrier(id: str, /) -> Carrier:  # noqa: A002 - the attribute's own name
    """Give a carrier to tell the moves of.

    Args:
        id: `wafer.carrier.id`.
    """
    found = None
    with guard.ARGUMENTS:
        found = arguments.required("carrier", id)
    return Carrier(found)


def deployment(version: str, *, service: str | None = None, at: At = None) -> None:
    """Mark a release: boards show it beside what changed with it.

    Args:
        version: `service.version` that was put into service.
        service: `service.name`; None is this process's own.
        at: When, a datetime or Unix seconds; None is now.
    """
    with guard.EVENT:
        runtime = process.current()
        if runtime is None:
            return
        said = {
            semconv.SERVICE_NAME: arguments.identifier("service", service) or runtime.service,
            semconv.SERVICE_VERSION: arguments.required("version", version),
        }
        _tell(semconv.EVENT_WAFER_DEPLOYMENT, said, at)


def _tell(name: str, said: Mapping[str, Any], at: At) -> None:
    """Emit an event; one without its first, identifying attribute would be refused at the site."""
    runtime = process.current()
    if runtime is None or None in list(said.values())[:2]:
        return
    attributes = {key: value for key, value in said.items() if value is not None}
    runtime.emit(Record(name, context.current(), attributes, time=arguments.instant("at", at)), wake=True)
