"""The registry keeps OpenTelemetry's format, covers the field's terms, and what is generated from it is current."""

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import opentelemetry.semconv.attributes
import pytest
import yaml

from waferscope_schemas import semconv
from waferscope_schemas.errors import RegistryError
from waferscope_schemas.generate import outputs

ROOT = Path(__file__).parents[2]
REGISTRY = semconv.load()
ATTRIBUTES = list(REGISTRY.attributes.values())
RAW = [
    group
    for file in files("waferscope_schemas").joinpath("registry").iterdir()
    for group in yaml.safe_load(file.read_text()).get("groups", [])
]

DOTTED = re.compile(r"wafer(\.[a-z][a-z0-9]*(_[a-z0-9]+)*)+")
TYPES = {"string": str, "int": int, "double": float, "enum": str}
UNITS = {"s", "By", r"{error}", r"{substrate}", r"{job}", r"{record}", r"{fault}"}
STABILITY = {"development", "alpha", "beta", "release_candidate", "stable"}
LEVELS = {"required", "conditionally_required", "recommended", "opt_in"}
NEVER_ON_METRICS = {attribute.id for attribute in ATTRIBUTES if "Never on metrics." in attribute.note}

# The states that the SEMI standards name.
STATES = {
    "wafer.equipment.state": "PRD SBY ENG SDT UDT NST",
    "wafer.equipment.ept_state": "Idle Busy Blocked",
    "wafer.module.process_state": "NotExecuting GeneralExecution StepActive",
    "wafer.process_job.state": "QueuedOrPooled SettingUp WaitingForStart Processing ProcessComplete Pausing Paused"
    " Stopping Aborting Stopped Aborted",
    "wafer.control_job.state": "Queued Selected WaitingForStart Executing Paused Completed",
    "wafer.substrate.location_state": "AtSource AtWork AtDestination",
    "wafer.substrate.processing_state": "NeedsProcessing InProcess Processed Aborted Stopped Rejected Lost Skipped",
    "wafer.job.status": "running stale lost unreachable succeeded failed canceled skipped",
    "wafer.job.result": "success failure cancellation skip",
    "wafer.step.result": "success failure cancellation skip",
    "wafer.telemetry.signal": "spans events logs metrics",
}


@pytest.mark.parametrize("path", outputs(), ids=str)
def test_committed_output_is_current(path: Path) -> None:
    assert (ROOT / path).read_text() == outputs()[path], "run `make generate`"


def test_ids_are_unique() -> None:
    names = [group["id"] for group in RAW] + [
        item["id"] for group in RAW for item in group.get("attributes", ()) if "id" in item
    ]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_names_are_dotted_and_lower_case() -> None:
    names = [attribute.id for attribute in ATTRIBUTES] + [signal.name for signal in REGISTRY.signals]
    assert [name for name in names if not DOTTED.fullmatch(name)] == []


@pytest.mark.parametrize("kind", ["attribute", "metric", "event"])
def test_no_name_is_the_namespace_of_another(kind: str) -> None:
    signals = {"metric": REGISTRY.of("metric"), "event": REGISTRY.of("event"), "attribute": ()}[kind]
    names = [signal.name for signal in signals] or [attribute.id for attribute in ATTRIBUTES]
    assert [(a, b) for a in names for b in names if b.startswith(f"{a}.")] == []


def test_constants_have_names_of_their_own() -> None:
    constants = Counter(attribute.id.replace(".", "_") for attribute in ATTRIBUTES)
    assert max(constants.values()) == 1


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.id)
def test_an_attribute_has_examples_of_its_type(attribute: semconv.Attribute) -> None:
    assert attribute.examples
    assert {type(example) for example in attribute.examples} == {TYPES[attribute.type]}
    if attribute.members:
        assert set(attribute.examples) <= {member.value for member in attribute.members}


def test_every_text_is_a_sentence_that_python_and_markdown_can_hold() -> None:
    texts = [item.brief for item in (*ATTRIBUTES, *REGISTRY.signals)]
    texts += [member.brief for attribute in ATTRIBUTES for member in attribute.members]
    assert [text for text in texts if not re.fullmatch(r'[A-Z][^"\\\n]*\.', text)] == []


def test_every_attribute_and_signal_has_a_note() -> None:
    notes = {item.id: item.note for item in (*ATTRIBUTES, *REGISTRY.signals)}
    assert [name for name, note in notes.items() if not re.fullmatch(r'[A-Z`][^"\\\n]*\.', note)] == []
    said = Counter(notes.values())
    assert [note for note, count in said.items() if count > 4] == [], "a note that fits all says nothing"


def test_every_use_of_an_attribute_says_how_much_it_is_needed() -> None:
    uses = [item for group in RAW for item in group.get("attributes", ()) if "ref" in item]
    assert [item["ref"] for item in uses if "requirement_level" not in item] == []


def test_members_have_the_fields_of_the_format_only() -> None:
    types = [item["type"] for group in RAW for item in group.get("attributes", ()) if "id" in item]
    members = [member for kind in types if isinstance(kind, dict) for member in kind["members"]]
    assert [member for member in members if member.keys() != {"id", "value", "brief", "stability"}] == []


def test_stability_and_requirement_levels_are_those_of_the_format() -> None:
    assert {item.stability for item in (*ATTRIBUTES, *REGISTRY.signals)} <= STABILITY
    uses = [use for signal in REGISTRY.signals for use in signal.uses]
    assert {use.level for use in uses} <= LEVELS
    assert all(bool(use.condition) == (use.level == "conditionally_required") for use in uses)


def test_every_reference_resolves_here_or_in_opentelemetry() -> None:
    known = set(REGISTRY.attributes)
    for module in pkgutil.iter_modules(opentelemetry.semconv.attributes.__path__, "opentelemetry.semconv.attributes."):
        known |= {value for value in vars(importlib.import_module(module.name)).values() if isinstance(value, str)}
    # code.*, exception.*, error.type and service.* are stable there; this is all we use of what is still incubating.
    known |= {"host.name", "process.exit.code"}
    references = {item["ref"] for group in RAW for item in group.get("attributes", ()) if "ref" in item}
    assert references - known == set()


def test_an_attribute_is_on_a_signal_once() -> None:
    for signal in REGISTRY.signals:
        names = [use.attribute for use in signal.uses]
        assert len(names) == len(set(names)), signal.id


def test_a_group_is_named_after_what_it_describes() -> None:
    for signal in REGISTRY.signals:
        assert signal.id == f"{signal.kind}.{signal.name}"


def test_metrics_carry_no_ids_of_jobs_lots_carriers_or_substrates() -> None:
    assert {f"wafer.{thing}.id" for thing in ("job", "job.parent", "lot", "carrier", "substrate")} <= NEVER_ON_METRICS
    for metric in REGISTRY.of("metric"):
        assert not {use.attribute for use in metric.uses} & NEVER_ON_METRICS, metric.name


def test_histograms_and_only_they_have_growing_buckets() -> None:
    for metric in REGISTRY.of("metric"):
        assert metric.unit in UNITS
        assert bool(metric.boundaries) == (metric.instrument == "histogram"), metric.name
        assert list(metric.boundaries) == sorted(set(metric.boundaries))


def test_durations_reach_a_day_and_memory_has_powers_of_two_and_the_8_gb_of_the_alert() -> None:
    metrics = {metric.name: metric.boundaries for metric in REGISTRY.of("metric")}
    for name in (
        "wafer.job.duration",
        "wafer.job.queue.duration",
        "wafer.step.duration",
        "wafer.carrier.dwell.duration",
    ):
        assert (metrics[name][0], metrics[name][-1]) == (0.01, 86_400)
    assert set(metrics["wafer.job.memory.peak"]) == {2.0**power for power in range(20, 39)} | {8e9}


@pytest.mark.parametrize(("attribute", "values"), STATES.items())
def test_states_are_those_of_the_standards(attribute: str, values: str) -> None:
    assert [member.value for member in REGISTRY.attributes[attribute].members] == values.split()


def test_only_these_attributes_are_enumerations() -> None:
    assert {attribute.id for attribute in ATTRIBUTES if attribute.members} == set(STATES)


def test_every_event_of_a_job_says_which_job_it_is_and_where_in_its_course() -> None:
    for name in ("started", "heartbeat", "ended"):
        (event,) = (event for event in REGISTRY.of("event") if event.name == f"wafer.job.{name}")
        required = {use.attribute for use in event.uses if use.level == "required"}
        assert {"wafer.job.id", "wafer.job.name", "wafer.job.attempt", "wafer.job.sequence"} <= required


def test_all_that_a_signal_carries_is_known_with_its_type() -> None:
    heartbeat = REGISTRY.signal("event", "wafer.job.heartbeat")
    types = {use.attribute: REGISTRY.type_of(use.attribute) for use in heartbeat.uses}
    assert (types["wafer.job.id"], types["wafer.job.elapsed"]) == ("string", "double")
    assert REGISTRY.type_of("process.exit.code") == "int"
    for item in (*REGISTRY.signals, *REGISTRY.groups):
        assert {REGISTRY.type_of(use.attribute) for use in item.uses} <= set(TYPES), item.id


def test_log_records_of_a_job_say_which_job_wrote_them_and_where() -> None:
    uses = {use.attribute: use.level for use in REGISTRY.group("attributes.wafer.job.log").uses}
    required = {name for name, level in uses.items() if level == "required"}
    assert required == {"wafer.job.id", "wafer.job.name", "wafer.job.attempt"}
    assert {"code.file.path", "code.function.name", "code.line.number", "exception.stacktrace"} <= set(uses)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: REGISTRY.signal("event", "wafer.job.duration"),
        lambda: REGISTRY.group("registry.wafer.job"),
        lambda: REGISTRY.type_of("wafer.job.mood"),
    ],
)
def test_what_the_registry_does_not_describe_is_an_error(ask: Callable[[], object]) -> None:
    with pytest.raises(KeyError):
        ask()


def test_a_group_that_extends_an_unknown_one_is_refused() -> None:
    group = {"id": "span.x", "type": "span", "brief": "X.", "stability": "development", "extends": "nothing"}
    with pytest.raises(RegistryError, match="nothing"):
        semconv.parse({"schema_url": "https://example.com/1"}, [group])
