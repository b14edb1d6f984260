"""Nothing leaves the wrapper that the registry does not describe."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from e2e.fab import EXAMPLES
from support.otlp import Receiver, plain, receiving

from waferscope_schemas import semconv
from waferscope_schemas.semconv import Attribute, Use

pytestmark = pytest.mark.timeout(300)

REGISTRY = semconv.load()
TYPES = {
    "string": "string_value",
    "enum": "string_value",
    "int": "int_value",
    "double": "double_value",
    "boolean": "bool_value",
}
SAMPLES = [
    (("wafer_map_defects.py", "--wafers", "4"), 0),
    (("overlay_regression.py", "--wafers", "4"), 0),
    (("overlay_regression.py", "--async", "--wafers", "4"), 0),
    (("equipment_log_crunching.py", "--days", "2"), 0),
    (("failing_recipe.py",), 1),
    (("lot_journey.py",), 0),
]
SIGNALS = """
import logging, waferscope
waferscope.configure(service="walk", export_logs="INFO", gc_pauses=True)
waferscope.deployment("1.2.0")
waferscope.equipment("ETCH-07").state("PRD", module="CH-A", reason="back from maintenance")
waferscope.carrier("FOUP-1").arrived("ETCH-07", load_port="LP1", lot="L")
waferscope.carrier("FOUP-1").departed("ETCH-07")
everything = dict(lot="L", carrier="C", substrate="S", slot=7, equipment="E", module="M", operation="O",
                  recipe="R", recipe_version="2")
with waferscope.job("walk", queued_at=1.7e9, **everything) as job:
    with job.step("skipped", **everything) as step:
        step.skip("nothing to do")
    job.log("a line", level="error")
    try:
        raise ValueError("a fault")
    except ValueError:
        logging.getLogger("walk").exception("with its traceback")
    with waferscope.job("inner"):
        job.progress(1, 2)
        job._running().beat()
        waferscope.flush()
    job.cancel("told to stop")
"""


@pytest.fixture(scope="module")
def walked() -> Iterator[Receiver]:
    """Run all sample jobs, and one program that uses whatever they don't, against a receiver."""
    with receiving() as receiver:
        env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "WAFERSCOPE_SITE": "fab1"}
        commands = [([str(EXAMPLES / name), *arguments], code) for (name, *arguments), code in SAMPLES]
        for command, code in [*commands, (["-c", SIGNALS], 0)]:
            ended = subprocess.run([sys.executable, *command], env=env, capture_output=True, text=True, check=False)
            assert ended.returncode == code, ended.stderr
        yield receiver


def _scopes(receiver: Receiver, path: str, resources: str, scopes: str) -> Iterator[Any]:
    for message in receiver.messages(path):
        for resource in getattr(message, resources):
            assert resource.schema_url == REGISTRY.schema_url
            assert plain(resource.resource.attributes)["wafer.site.id"] == "fab1"
            for scope in getattr(resource, scopes):
                assert (scope.scope.name, scope.schema_url) == ("waferscope", REGISTRY.schema_url)
                yield scope


def _faults(what: str, said: Any, uses: Iterable[Use]) -> Iterator[str]:
    """Name what is wrong with the attributes of one piece of telemetry."""
    known = {use.attribute: use for use in uses}
    given = {item.key: item.value for item in said}
    for use in known.values():
        if use.level == "required" and use.attribute not in given:
            yield f"{what} lacks {use.attribute}"
    for key, value in given.items():
        if key not in known:
            yield f"{what} has {key}, which the registry does not give it"
            continue
        kind = value.WhichOneof("value")
        attribute = REGISTRY.attributes.get(key)
        if kind != TYPES[REGISTRY.type_of(key)]:
            yield f"{what}: {key} is {kind}"
        elif (
            attribute is not None
            and attribute.members
            and value.string_value not in {m.value for m in attribute.members}
        ):
            yield f"{what}: {key} is {value.string_value}"


def _members(attribute: Attribute) -> set[str]:
    return {member.value for member in attribute.members}


def test_events_and_log_records_are_those_of_the_registry(walked: Receiver) -> None:
    faults, seen = set(), set()
    log = REGISTRY.group("attributes.wafer.job.log").uses
    for scope in _scopes(walked, "/v1/logs", "resource_logs", "scope_logs"):
        for record in scope.log_records:
            seen.add(record.event_name)
            name = record.event_name or "a log record"
            uses = REGISTRY.signal("event", record.event_name).uses if record.event_name else log
            if record.event_name or "wafer.job.id" in plain(record.attributes):
                faults |= set(_faults(name, record.attributes, uses))
    assert not faults
    assert seen == {"", *(signal.name for signal in REGISTRY.of("event"))}


def test_spans_are_those_of_the_registry(walked: Receiver) -> None:
    faults, seen = set(), set()
    for scope in _scopes(walked, "/v1/traces", "resource_spans", "scope_spans"):
        for span in scope.spans:
            name = "wafer.step" if "wafer.step.name" in plain(span.attributes) else "wafer.job"
            seen.add(name)
            faults |= set(_faults(f"span of {name}", span.attributes, REGISTRY.signal("span", name).uses))
    assert not faults
    assert seen == {signal.name for signal in REGISTRY.of("span")}


def test_metrics_are_those_of_the_registry_with_its_units(walked: Receiver) -> None:
    faults, seen = set(), set()
    own = set()
    for scope in _scopes(walked, "/v1/metrics", "resource_metrics", "scope_metrics"):
        for metric in scope.metrics:
            data = getattr(metric, metric.WhichOneof("data"))
            if not metric.name.startswith("wafer."):
                own.add(metric.name)  # the author's measurements
                uses = REGISTRY.signal("metric", "wafer.job.queue.duration").uses
            else:
                signal = REGISTRY.signal("metric", metric.name)
                uses = signal.uses
                seen.add(metric.name)
                kind = {"sum": "counter", "histogram": "histogram"}[metric.WhichOneof("data")]
                assert (kind, metric.unit) == (signal.instrument, signal.unit), metric.name
                if kind == "histogram":
                    assert {tuple(point.explicit_bounds) for point in data.data_points} == {signal.boundaries}
            for point in data.data_points:
                faults |= set(_faults(metric.name, point.attributes, uses))
    assert not faults
    assert own >= {"overlay.tx", "overlay.ty", "defects.per_wafer", "film.thickness"}
    assert seen >= {
        "wafer.job.duration",
        "wafer.job.errors",
        "wafer.job.queue.duration",
        "wafer.job.cpu.time",
        "wafer.job.memory.peak",
        "wafer.step.duration",
        "wafer.substrate.processed",
    }
