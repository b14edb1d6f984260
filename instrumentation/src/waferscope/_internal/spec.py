"""What the author says of a job before it runs: its name, what it works on, which attempt it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from waferscope import semconv
from waferscope._internal import arguments, guard, span
from waferscope._internal.arguments import AttributeValue

_ON_METRICS = (semconv.WAFER_EQUIPMENT_ID, semconv.WAFER_RECIPE_ID)
_CARRIED = (semconv.WAFER_LOT_ID, semconv.WAFER_EQUIPMENT_ID)

KEYWORDS = {
    "lot": semconv.WAFER_LOT_ID,
    "carrier": semconv.WAFER_CARRIER_ID,
    "substrate": semconv.WAFER_SUBSTRATE_ID,
    "slot": semconv.WAFER_SUBSTRATE_SLOT,
    "equipment": semconv.WAFER_EQUIPMENT_ID,
    "module": semconv.WAFER_MODULE_ID,
    "recipe": semconv.WAFER_RECIPE_ID,
    "recipe_version": semconv.WAFER_RECIPE_VERSION,
    "operation": semconv.WAFER_OPERATION_ID,
}
_PLAIN = {str, int, float}  # types that are quickly seen to be no functions

Given = Any  # a value, or with a decorator a function from the call's arguments to it


@dataclass(frozen=True, slots=True)
class Spec:
    """A job as its author described it.

    Attributes:
        name: `wafer.job.name`, of low cardinality: it becomes a metric label.
        attributes: On every event and on the job's span, without the job's id, attempt and parent.
        on_metrics: Attributes of metrics: never ids of jobs, lots, carriers or substrates.
        carried: What goes along to subjobs and to other processes.
        id: `wafer.job.id`; None makes a fresh one for each run.
        attempt: Number of the attempt at this id, from 1.
        queued_ns: When the job was asked for, Unix time in ns.
        links: Jobs, their traceparents or links of OpenTelemetry, that this one has to do with.
        parent_id: `wafer.job.parent.id`; None takes the job around it.
    """

    name: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    on_metrics: tuple[tuple[str, str], ...] = ()
    carried: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None
    attempt: int = 1
    queued_ns: int | None = None
    links: tuple[Any, ...] = ()
    parent_id: str | None = None

    def inherit(self, carried: Mapping[str, Any]) -> Spec:
        """Take over the lot and the equipment of the job around it, where it names none.

        Args:
            carried: The baggage that it begins in.
        """
        missing = {
            key: arguments.key(carried[key]) for key in _CARRIED if key in carried and key not in self.attributes
        }
        if not missing:
            return self
        equipment = missing.get(semconv.WAFER_EQUIPMENT_ID)
        more = ((semconv.WAFER_EQUIPMENT_ID, equipment),) if equipment is not None else ()
        return replace(self, attributes={**missing, **self.attributes}, on_metrics=(*self.on_metrics, *more))


UNKNOWN = Spec(arguments.NAMELESS)


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of `waferscope.job`, as they were given.

    Attributes:
        name: See `Spec`.
        known: What the registry names, by its attribute.
        own: The author's own attributes.
        id: See `Spec`.
        attempt: See `Spec`.
        queued_at: A datetime or Unix seconds.
        links: See `Spec`.
    """

    name: str
    known: Mapping[str, Given]
    own: Mapping[str, Given]
    id: Given
    attempt: Given
    queued_at: Given
    links: Given

    def is_dynamic(self) -> bool:
        """Whether some value is told by the arguments of a decorated function's call."""
        for given in (*self.known.values(), *self.own.values(), self.id, self.attempt, self.queued_at):
            if given is not None and type(given) not in _PLAIN and callable(given):
                return True
        return False

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """Ask the functions among the values.

        Args:
            args: Of the call.
            kwargs: Of the call.
        """

        def value(given: Given) -> Any:
            if not callable(given):
                return given
            try:
                return given(*args, **kwargs)
            except Exception as error:  # it is the author's, but the job's own function shall run
                if guard.passes(error, error.__traceback__):
                    raise
                arguments.misuse("a value can't be told from the arguments of a call: %r; it is left out", error)
                return None

        return Arguments(
            self.name,
            {key: value(given) for key, given in self.known.items()},
            {key: value(given) for key, given in self.own.items()},
            value(self.id),
            value(self.attempt),
            value(self.queued_at),
            self.links,
        )

    def check(self) -> Spec:
        """Check them: what is wrong is corrected with a warning, or raises `UsageError` where the author wants it."""
        name = arguments.name("the name of a job", self.name)
        attributes = arguments.attributes(self.own) if self.own else {}
        on_metrics = [(semconv.WAFER_JOB_NAME, name)]
        carried = {}
        for key, given in self.known.items():
            value = _known(key, given)
            if value is None:
                continue
            attributes[key] = value
            if key in _ON_METRICS:
                on_metrics.append((key, str(value)))
            if key in _CARRIED:
                carried[key] = str(value)
        attributes[semconv.WAFER_JOB_NAME] = name
        return Spec(
            name,
            attributes,
            tuple(on_metrics),
            carried,
            arguments.identifier("id", self.id),
            1 if self.attempt is None else arguments.whole("attempt", self.attempt, 1),
            arguments.instant("queued_at", self.queued_at),
            _links(self.links),
        )


def on_step(given: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Check what the author says of a step.

    Args:
        given: By the keywords of a job, which stand for attributes of the registry, or by the author's own names.
    """
    known = {KEYWORDS[key]: _known(KEYWORDS[key], value) for key, value in given.items() if key in KEYWORDS}
    own = arguments.attributes({key: value for key, value in given.items() if key not in KEYWORDS})
    return {**own, **{key: value for key, value in known.items() if value is not None}}


def _known(key: str, value: Any) -> str | int | None:
    """Check a value that the registry defines."""
    if key == semconv.WAFER_SUBSTRATE_SLOT:
        return None if value is None else arguments.whole("slot", value, None)
    return arguments.identifier(key, value)


def several(links: Any) -> tuple[Any, ...]:
    """Give links one by one.

    Args:
        links: A single one, or anything that gives some: it is asked once only.
    """
    if links is None:
        return ()
    if isinstance(links, str) or span.is_place(links):
        return (links,)
    try:
        return tuple(links)
    except Exception as error:  # what the author's own iteration raises costs the links only
        if guard.passes(error, error.__traceback__):
            raise
        arguments.misuse("links are jobs or traceparents, and can't be told: %r; they are left out", error)
        return ()


def _links(given: tuple[Any, ...]) -> tuple[Any, ...]:
    fitting = []
    for other in given:
        if span.is_place(other) or span.context_of(other) is not None:
            fitting.append(other)
        else:
            arguments.misuse("%r is no job and no traceparent; no link to it", other)
    return tuple(fitting)
