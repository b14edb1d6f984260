"""Signals of the fab itself: events that stand alone, in a job's trace where there is one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

import waferscope

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def test_a_state_of_equipment_is_told(telemetry: Any) -> None:
    tool = waferscope.equipment("OVL-02")
    tool.state("PRD")
    tool.state("udt", module="stage", reason="vacuum lost", at=AT)
    assert telemetry.events() == [
        ("wafer.equipment.state.changed", {"wafer.equipment.id": "OVL-02", "wafer.equipment.state": "PRD"}),
        (
            "wafer.equipment.state.changed",
            {
                "wafer.equipment.id": "OVL-02",
                "wafer.equipment.state": "UDT",
                "wafer.module.id": "stage",
                "wafer.equipment.state_reason": "vacuum lost",
            },
        ),
    ]
    assert telemetry.records()[1].log_record.timestamp == int(AT.timestamp() * 1e9)


@pytest.mark.parametrize("state", ["PRD", "SBY", "ENG", "SDT", "UDT", "NST"])
def test_all_states_of_e10_are_known(telemetry: Any, state: str) -> None:
    waferscope.equipment("OVL-02").state(state)
    assert telemetry.events()[0][1]["wafer.equipment.state"] == state


@pytest.mark.parametrize("state", ["BROKEN", "", None, 7])
def test_what_is_no_state_is_not_told(telemetry: Any, state: Any) -> None:
    waferscope.equipment("OVL-02").state(state)
    assert telemetry.events() == []


def test_moves_of_a_carrier_are_told(telemetry: Any) -> None:
    carrier = waferscope.carrier("FOUP-1")
    carrier.arrived("OVL-02", load_port="LP1", lot="L", at=AT.timestamp())
    carrier.departed("OVL-02")
    whole = {
        "wafer.carrier.id": "FOUP-1",
        "wafer.equipment.id": "OVL-02",
        "wafer.load_port.id": "LP1",
        "wafer.lot.id": "L",
    }
    assert telemetry.events() == [
        ("wafer.carrier.arrived", whole),
        ("wafer.carrier.departed", dict(list(whole.items())[:2])),
    ]
    assert telemetry.records()[0].log_record.timestamp == int(AT.timestamp() * 1e9)


def test_a_deployment_is_told_of_this_service_or_another(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import waferscope
        waferscope.configure(service="overlay-metrology")
        waferscope.deployment("1.2.0")
        waferscope.deployment("7", service="recipe-optimiser")
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert (ended.code, ended.err) == (0, "")
    assert receiver.events() == [
        ("wafer.deployment", {"service.name": "overlay-metrology", "service.version": "1.2.0"}),
        ("wafer.deployment", {"service.name": "recipe-optimiser", "service.version": "7"}),
    ]


@pytest.mark.parametrize("missing", [None, ""])
def test_without_what_identifies_it_no_event_is_told(telemetry: Any, missing: Any) -> None:
    waferscope.equipment(missing).state("PRD")
    waferscope.carrier(missing).arrived("OVL-02")
    waferscope.carrier("FOUP-1").departed(missing)
    waferscope.deployment(missing)
    assert telemetry.events() == []


def test_a_signal_in_a_job_is_in_its_trace(telemetry: Any) -> None:
    with waferscope.job("overlay"):
        waferscope.equipment("OVL-02").state("PRD")
    waferscope.equipment("OVL-02").state("SBY")
    (span,) = telemetry.spans()
    _, within, _, outside = telemetry.records()
    assert within.log_record.span_id == span.context.span_id
    assert not outside.log_record.span_id


def test_a_disabled_wrapper_takes_all_signals_and_tells_none(run: Any) -> None:
    ended = run(
        """
        import waferscope
        waferscope.equipment("OVL-02").state("PRD")
        waferscope.carrier("FOUP-1").arrived("OVL-02")
        waferscope.deployment("1")
        """,
        OTEL_SDK_DISABLED="true",
    )
    assert (ended.code, ended.err) == (0, "")
