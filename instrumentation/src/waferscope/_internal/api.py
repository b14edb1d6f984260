"""What job authors call."""

from __future__ import annotations

from waferscope import semconv
from waferscope._internal import guard, runtime
from waferscope._internal.identity import UNKNOWN, AttributeValue, Identity
from waferscope._internal.job import Job
from waferscope._internal.settings import load


def configure(
    *, site: str | None = None, service: str | None = None, version: str | None = None, endpoint: str | None = None
) -> None:
    """Say who sends the telemetry, and where to. Without it the first job configures from the environment.

    OTEL_* variables are respected; arguments win over them. A tracer or logger provider that the program has set up
    before is used as it is; only the `wafer.*` metrics always have a pipeline of their own.

    Args:
        site: The fab, `wafer.site.id` (else WAFERSCOPE_SITE, OTEL_RESOURCE_ATTRIBUTES, or the host's Collector).
        service: The application, `service.name` (else OTEL_SERVICE_NAME).
        version: Its version, `service.version` (else OTEL_RESOURCE_ATTRIBUTES).
        endpoint: Base URL of an OTLP/HTTP receiver (else OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318).
    """
    with guard.CONFIGURE:
        runtime.configure(load(site, service, version, endpoint))


def job(
    name: str,
    /,
    *,
    lot: str | None = None,
    equipment: str | None = None,
    recipe: str | None = None,
    recipe_version: str | None = None,
    carrier: str | None = None,
    substrate: str | None = None,
    module: str | None = None,
    operation: str | None = None,
    id: str | None = None,  # noqa: A002 - the attribute's own name; nothing here needs the builtin
    attempt: int = 1,
    **attributes: AttributeValue,
) -> Job:
    """Make a job, for `with`, `async with` or as a decorator of a function or coroutine function.

    It starts when its block is entered and ends when the block is left, whatever is raised; that passes unchanged.
    A job inside another one's block is its subjob.

    Args:
        name: What it does, of low cardinality: it becomes a metric label.
        lot: `wafer.lot.id`.
        equipment: `wafer.equipment.id`, a metric label.
        recipe: `wafer.recipe.id`, a metric label.
        recipe_version: `wafer.recipe.version`.
        carrier: `wafer.carrier.id`.
        substrate: `wafer.substrate.id`.
        module: `wafer.module.id`.
        operation: `wafer.operation.id`.
        id: `wafer.job.id`, to tell attempts at one job from different jobs; else a fresh one for each run.
        attempt: Number of the attempt at this id, from 1.
        **attributes: What else its events and span shall carry.

    Returns:
        The job; it begins when it is entered.
    """
    identity = UNKNOWN
    with guard.ARGUMENTS:
        known = {
            semconv.WAFER_LOT_ID: lot,
            semconv.WAFER_CARRIER_ID: carrier,
            semconv.WAFER_SUBSTRATE_ID: substrate,
            semconv.WAFER_EQUIPMENT_ID: equipment,
            semconv.WAFER_MODULE_ID: module,
            semconv.WAFER_RECIPE_ID: recipe,
            semconv.WAFER_RECIPE_VERSION: recipe_version,
            semconv.WAFER_OPERATION_ID: operation,
        }
        identity = Identity.of(name, known, attributes)
    return Job(identity, id, attempt)


def flush(timeout: float = 3.0) -> bool:
    """Send what this process has recorded so far: needed only before `os._exit`, which nothing can hook into.

    Args:
        timeout: Seconds to wait at most.

    Returns:
        Whether all of it was handed over in time.
    """
    with guard.FLUSH:
        return runtime.flush(timeout)
    return False
