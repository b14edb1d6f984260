"""What job authors call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from opentelemetry.trace import Link

from waferscope import semconv
from waferscope._internal import arguments, guard, process, spec
from waferscope._internal.arguments import AttributeValue
from waferscope._internal.current import current_job
from waferscope._internal.job import Job
from waferscope._internal.settings import is_strict, load
from waferscope._internal.spec import UNKNOWN, Arguments
from waferscope._internal.step import Step, make_step

_PATIENCE = 3.0  # s
Told = Callable[..., Any]  # a function from the arguments of a decorated function's call to the value


def configure(
    *,
    site: str | None = None,
    service: str | None = None,
    version: str | None = None,
    endpoint: str | None = None,
    strict: bool | None = None,
    export_logs: str | int | None = None,
    gc_pauses: bool | None = None,
) -> None:
    """Say who sends the telemetry, and where to. Without it the first job configures from the environment.

    OTEL_* variables are respected; arguments win over them. A tracer or logger provider that the program has set up
    before is used as it is; only the `wafer.*` metrics always have a pipeline of their own.

    Args:
        site: The fab, `wafer.site.id` (else WAFERSCOPE_SITE, OTEL_RESOURCE_ATTRIBUTES, or the host's Collector).
        service: The application, `service.name` (else OTEL_SERVICE_NAME).
        version: Its version, `service.version` (else OTEL_RESOURCE_ATTRIBUTES).
        endpoint: Base URL of an OTLP/HTTP receiver (else OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318).
        strict: Raise `UsageError` for a wrong argument at the call, as tests want it (else WAFERSCOPE_STRICT);
            otherwise it is corrected and told in the log.
        export_logs: Export records of the standard `logging` from this level on, as far as the loggers' own levels let
            them through (else WAFERSCOPE_EXPORT_LOGS, or none).
        gc_pauses: Measure the pauses of the garbage collector (else WAFERSCOPE_GC_PAUSES).

    Raises:
        UsageError: An argument is wrong, and strictness is asked for.
    """
    with guard.CONFIGURE:
        captured = process.is_captured()  # by a test, which the program under it must not escape
        strict = is_strict(strict)
        if not captured:
            arguments.be_strict(strict)
        settings = load(
            site=site, service=service, version=version, endpoint=endpoint,
            strict=strict, export_logs=export_logs, gc_pauses=gc_pauses,
        )  # fmt: skip
        if not captured:
            process.configure(settings)


def job(
    name: str,
    /,
    *,
    lot: str | Told | None = None,
    equipment: str | Told | None = None,
    recipe: str | Told | None = None,
    recipe_version: str | Told | None = None,
    carrier: str | Told | None = None,
    substrate: str | Told | None = None,
    slot: int | Told | None = None,
    module: str | Told | None = None,
    operation: str | Told | None = None,
    id: str | Told | None = None,  # noqa: A002 - the attribute's own name; nothing here needs the builtin
    attempt: int | Told = 1,
    queued_at: datetime | float | Told | None = None,
    links: Iterable[Job | str | Link] | Job | str | Link = (),
    **attributes: AttributeValue | Told,
) -> Job:
    """Make a job, for `with`, `async with` or as a decorator of any kind of function.

    It starts when its block is entered and ends when the block is left, whatever is raised; that passes unchanged.
    A job inside another one's block is its subjob, and works on the same lot and equipment unless it names its own.
    With a decorator, each value may be a function that tells it from the call's arguments: `lot=lambda lot, **_: lot`.

    Args:
        name: What it does, of low cardinality: it becomes a metric label.
        lot: `wafer.lot.id`.
        equipment: `wafer.equipment.id`, a metric label.
        recipe: `wafer.recipe.id`, a metric label.
        recipe_version: `wafer.recipe.version`.
        carrier: `wafer.carrier.id`.
        substrate: `wafer.substrate.id`.
        slot: `wafer.substrate.slot`.
        module: `wafer.module.id`.
        operation: `wafer.operation.id`.
        id: `wafer.job.id`, to tell attempts at one job from different jobs; else a fresh one for each run.
        attempt: Number of the attempt at this id, from 1.
        queued_at: When it was asked for, a datetime or Unix seconds: the time until it begins is measured.
        links: Jobs that it has to do with: the jobs, their traceparents or links of OpenTelemetry, one or several.
        **attributes: What else its events and span shall carry.

    Returns:
        The job; it begins when it is entered.

    Raises:
        UsageError: An argument is wrong, and strictness is asked for.
    """
    with guard.ARGUMENTS:
        if callable(name):
            decorated: Job = _bare("job", name, job)
            return decorated
        known = {
            semconv.WAFER_LOT_ID: lot,
            semconv.WAFER_CARRIER_ID: carrier,
            semconv.WAFER_SUBSTRATE_ID: substrate,
            semconv.WAFER_SUBSTRATE_SLOT: slot,
            semconv.WAFER_EQUIPMENT_ID: equipment,
            semconv.WAFER_MODULE_ID: module,
            semconv.WAFER_RECIPE_ID: recipe,
            semconv.WAFER_RECIPE_VERSION: recipe_version,
            semconv.WAFER_OPERATION_ID: operation,
        }
        given = Arguments(name, known, attributes, id, attempt, queued_at, spec.several(links))
        if given.is_dynamic():
            return Job(UNKNOWN, given)
        return Job(given.check())
    return Job(UNKNOWN)


def step(name: str, /, **attributes: AttributeValue) -> Step:
    """Make a step of the current job, for `with`, `async with` or as a decorator of any kind of function.

    Outside of any job it records nothing.

    Args:
        name: Of low cardinality ("fit", not "fit wafer 7"): it becomes a metric label.
        **attributes: What else its span shall carry; `slot=7`, `substrate=…` and so on are those of a job.

    Returns:
        The step; it begins when it is entered.
    """
    with guard.ARGUMENTS:
        if callable(name):
            decorated: Step = _bare("step", name, step)
            return decorated
    return make_step(current_job, name, attributes)


def flush(timeout: float = _PATIENCE) -> bool:
    """Send what this process has recorded so far: needed only before `os._exit`, which nothing can hook into.

    Args:
        timeout: Seconds to wait at most.

    Returns:
        Whether all of it was handed over in time.
    """
    patience = _PATIENCE
    with guard.ARGUMENTS:
        patience = arguments.seconds("timeout", timeout, _PATIENCE)
    with guard.FLUSH:
        return process.flush(patience)
    return False


def _bare(kind: str, function: Any, make: Callable[[str], Any]) -> Any:
    """Correct `@waferscope.job` over a function, where `@waferscope.job("name")` is meant."""
    name = getattr(function, "__name__", kind)
    arguments.misuse("@waferscope.%s needs a name: @waferscope.%s(%r); that is used", kind, kind, name)
    return make(name)(function)
