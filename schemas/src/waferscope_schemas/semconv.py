"""The semantic-convention registry: what WaferScope's telemetry is called, of which type and unit, and what it means.

The files under ``registry/`` keep OpenTelemetry's registry format (open-telemetry/weaver, semconv-syntax.md), so that
Weaver reads them too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from waferscope_schemas.errors import RegistryError

Kind = Literal["entity", "event", "metric", "span"]

# Types of what we use of OpenTelemetry's registry, as far as they aren't strings: its YAML is not at hand.
_FOREIGN_TYPES = {"code.line.number": "int", "process.exit.code": "int"}


@dataclass(frozen=True, slots=True)
class Member:
    """One value of an enumeration."""

    id: str
    value: str
    brief: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute as the registry defines it; `type` is ``string``, ``int``, ``double``, … or ``enum``."""

    id: str
    type: str
    brief: str
    note: str
    stability: str
    examples: tuple[Any, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Namespace:
    """Attributes that belong together."""

    id: str
    title: str
    brief: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """An attribute on a signal: how much it is needed, and when."""

    attribute: str
    level: str  # required, conditionally_required, recommended, opt_in
    condition: str
    note: str


@dataclass(frozen=True, slots=True)
class Group:
    """Attributes that go together on telemetry that is no named signal: the log records of a job."""

    id: str
    title: str
    brief: str
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """An entity, event, metric or span, with the attributes that it inherits included."""

    kind: Kind
    id: str
    name: str
    brief: str
    note: str
    stability: str
    uses: tuple[Use, ...]
    instrument: str = ""  # metrics: counter, gauge, histogram, updowncounter
    unit: str = ""  # metrics: UCUM
    boundaries: tuple[float, ...] = ()  # histograms: upper bounds of the buckets, without +Inf


@dataclass(frozen=True, slots=True)
class Registry:
    """The whole registry, in the order of its files."""

    schema_url: str
    namespaces: tuple[Namespace, ...]
    signals: tuple[Signal, ...]
    groups: tuple[Group, ...]

    @property
    def version(self) -> str:
        """The version that the schema URL ends with."""
        return self.schema_url.rpartition("/")[2]

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """All attributes that the registry defines, by their name."""
        return {attribute.id: attribute for space in self.namespaces for attribute in space.attributes}

    @property
    def uses(self) -> tuple[Use, ...]:
        """All uses of attributes, on signals and in groups."""
        signals = (use for signal in self.signals for use in signal.uses)
        return (*signals, *(use for group in self.groups for use in group.uses))

    def of(self, kind: Kind) -> tuple[Signal, ...]:
        """Select the signals of one kind."""
        return tuple(signal for signal in self.signals if signal.kind == kind)

    def signal(self, kind: Kind, name: str) -> Signal:
        """Find a signal by its name.

        Raises:
            KeyError: The registry describes no such signal.
        """
        for signal in self.of(kind):
            if signal.name == name:
                return signal
        raise KeyError(f"{kind} {name}")

    def group(self, name: str) -> Group:
        """Find a group of attributes by its id, for example ``attributes.wafer.job.log``.

        Raises:
            KeyError: The registry describes no such group.
        """
        return {group.id: group for group in self.groups}[name]

    def type_of(self, name: str) -> str:
        """Tell the type of an attribute, also of one of OpenTelemetry's that a signal or group refers to.

        Raises:
            KeyError: The registry neither defines nor refers to it.
        """
        if name in self.attributes:
            return self.attributes[name].type
        if any(use.attribute == name for use in self.uses):
            return _FOREIGN_TYPES.get(name, "string")
        raise KeyError(name)


@cache
def load() -> Registry:
    """Read the registry that this package carries.

    Returns:
        The registry with all inherited attributes resolved.

    Raises:
        RegistryError: A group lacks a field that its type needs, has an unknown type, or extends an unknown group.
    """
    folder = files(__package__).joinpath("registry")
    texts = {
        entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    }
    manifest = yaml.safe_load(texts.pop("manifest.yaml"))
    return parse(manifest, [group for name in sorted(texts) for group in yaml.safe_load(texts[name])["groups"]])


def parse(manifest: Mapping[str, Any], groups: list[dict[str, Any]]) -> Registry:
    """Make a registry of parsed YAML.

    Args:
        manifest: Content of the manifest.
        groups: The groups of all files.

    Returns:
        The registry with all inherited attributes resolved.

    Raises:
        RegistryError: As `load`.
    """
    by_id = {group["id"]: group for group in groups}
    if len(by_id) < len(groups):
        raise RegistryError("two groups have the same id")
    try:
        namespaces = tuple(_namespace(group) for group in groups if group["id"].startswith("registry."))
        signals = tuple(_signal(group, by_id) for group in groups if group["type"] != "attribute_group")
        shared = tuple(_group(group, by_id) for group in groups if _stands_alone(group))
    except KeyError as error:
        raise RegistryError(f"a group lacks, or extends, {error}") from error
    return Registry(manifest["schema_url"], namespaces, signals, shared)


def _stands_alone(group: dict[str, Any]) -> bool:
    # A group without a title only serves others that extend it.
    return group["id"].startswith("attributes.") and "display_name" in group


def _group(group: dict[str, Any], by_id: Mapping[str, dict[str, Any]]) -> Group:
    return Group(group["id"], group["display_name"], group["brief"], _uses(group, by_id))


def _namespace(group: dict[str, Any]) -> Namespace:
    attributes = tuple(_attribute(attribute) for attribute in group["attributes"])
    return Namespace(group["id"], group["display_name"], group["brief"], attributes)


def _attribute(raw: dict[str, Any]) -> Attribute:
    enumerated = isinstance(raw["type"], dict)
    kind = "enum" if enumerated else raw["type"]
    members = tuple(Member(m["id"], m["value"], m["brief"]) for m in raw["type"]["members"]) if enumerated else ()
    examples = tuple(raw["examples"])
    return Attribute(raw["id"], kind, raw["brief"], raw.get("note", ""), raw["stability"], examples, members)


def _signal(group: dict[str, Any], by_id: Mapping[str, dict[str, Any]]) -> Signal:
    kind: Kind = group["type"]
    common = (group["id"], _name(group), group["brief"], group.get("note", ""), group["stability"], _uses(group, by_id))
    if kind != "metric":
        return Signal(kind, *common)
    boundaries = group.get("annotations", {}).get("explicit_bucket_boundaries", ())
    return Signal(kind, *common, group["instrument"], group["unit"], tuple(map(float, boundaries)))


def _name(group: dict[str, Any]) -> str:
    match group["type"]:
        case "metric":
            return str(group["metric_name"])
        case "event" | "entity":
            return str(group["name"])
        case "span":
            return str(group["id"].removeprefix("span."))
        case other:
            raise RegistryError(f"{group['id']}: unknown type {other!r}")


def _uses(group: dict[str, Any], by_id: Mapping[str, dict[str, Any]]) -> tuple[Use, ...]:
    inherited = _uses(by_id[group["extends"]], by_id) if "extends" in group else ()
    return (*inherited, *(_use(raw) for raw in group.get("attributes", ())))


def _use(raw: dict[str, Any]) -> Use:
    level = raw.get("requirement_level", "recommended")
    condition = ""
    if isinstance(level, dict):
        ((level, condition),) = level.items()
    return Use(raw["ref"], level, condition, raw.get("note", ""))
