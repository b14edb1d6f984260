"""The registry as Python constants: light enough for a wrapper that runs inside every job."""

from collections.abc import Iterable, Iterator

from waferscope_schemas.semconv import Attribute, Registry, Signal

_HEAD = '''"""Names of WaferScope's telemetry, generated from the semantic-convention registry; don't edit."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the registry; `boundaries` are the bounds of a histogram's buckets, without +Inf."""

    name: str
    instrument: str
    unit: str
    brief: str
    boundaries: tuple[float, ...] = ()

'''


def render_constants(registry: Registry) -> str:
    """Render the module ``waferscope.semconv``.

    Args:
        registry: The registry.

    Returns:
        Python source.
    """
    sections = (
        _HEAD,
        _assignments((("SCHEMA_URL", registry.schema_url), ("VERSION", registry.version))),
        "# Attributes that the registry defines\n\n" + "\n".join(map(_attribute, registry.attributes.values())),
        "# Attributes of OpenTelemetry's own registry that go with them\n\n"
        + _assignments((_constant(name), name) for name in _foreign(registry)),
        *("\n" + _enumeration(item) for item in registry.attributes.values() if item.members),
        "\n# Events\n\n" + "\n".join(_event(signal) for signal in registry.of("event")),
        "\n# Metrics\n\n" + "\n".join(_metric(signal) for signal in registry.of("metric")),
    )
    return "\n".join(section if section.endswith("\n") else section + "\n" for section in sections)


def _constant(name: str) -> str:
    return name.replace(".", "_").upper()


def _assignments(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f'{name}: Final = "{value}"' for name, value in pairs)


def _documented(name: str, value: str, brief: str, indent: str = "") -> str:
    return f'{indent}{name}: Final = {value}\n{indent}"""{brief}"""\n'


def _attribute(attribute: Attribute) -> str:
    return _documented(_constant(attribute.id), f'"{attribute.id}"', attribute.brief)


def _event(signal: Signal) -> str:
    return _documented(f"EVENT_{_constant(signal.name)}", f'"{signal.name}"', signal.brief)


def _foreign(registry: Registry) -> list[str]:
    used = {use.attribute for use in registry.uses}
    return sorted(used - registry.attributes.keys())


def _enumeration(attribute: Attribute) -> str:
    words = attribute.id.removeprefix("wafer.").replace("_", ".").split(".")
    title = "".join(word.capitalize() for word in words)
    members = "\n".join(_documented(m.id.upper(), f'"{m.value}"', m.brief, "    ") for m in attribute.members)
    return f'class {title}:\n    """Values of `{attribute.id}`. {attribute.brief}"""\n\n{members}'


def _metric(signal: Signal) -> str:
    return "\n".join((f"METRIC_{_constant(signal.name)}: Final = Metric(", *_arguments(signal), ")", ""))


def _arguments(signal: Signal) -> Iterator[str]:
    for name, value in (("name", signal.name), ("instrument", signal.instrument), ("unit", signal.unit)):
        yield f'    {name}="{value}",'
    yield f'    brief="{signal.brief}",'
    if signal.boundaries:
        yield "    boundaries=(" + ", ".join(f"{bound!r}" for bound in signal.boundaries) + "),"
