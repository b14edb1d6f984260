"""The resource: which service, on which host, at which site produces the telemetry."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from waferscope import semconv
from waferscope._internal import arguments, guard
from waferscope._internal.settings import Settings

_PER_PROCESS = ("service.instance.id", "process.", "faas.instance", "container.id", "aws.ecs.task.", "aws.log.stream")
_PLATFORMS = {  # what tells of a platform of AWS, and its detector in the extra `aws`
    "AWS_LAMBDA_FUNCTION_NAME": "aws_lambda",
    "ECS_CONTAINER_METADATA_URI_V4": "aws_ecs",
    "ECS_CONTAINER_METADATA_URI": "aws_ecs",
}


def build(settings: Settings) -> Resource:
    """Describe this process for spans and events.

    Args:
        settings: Site, service and version; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME fill what they leave open.

    Returns:
        The SDK's resource with host name and site, with the platform where it is AWS's and the extra is installed, and
        the schema URL of the attributes.
    """
    detected = Resource.get_empty()
    for detector in _detectors():
        with guard.CONFIGURE:
            detected = detected.merge(detector.load()().detect())
    given = {
        semconv.WAFER_SITE_ID: settings.site,
        "service.name": settings.service,
        "service.version": settings.version,
        "host.name": _host_name(OTELResourceDetector().detect().attributes),
    }
    own = Resource.create({key: value for key, value in given.items() if value}, semconv.SCHEMA_URL)
    found = {**detected.attributes, **own.attributes}
    # The environment's bytes need not be UTF-8: one such value would keep all telemetry from being encoded.
    sendable = {key: arguments.text(value) if isinstance(value, str) else value for key, value in found.items()}
    return Resource(sendable, semconv.SCHEMA_URL)


def for_metrics(resource: Resource) -> Resource:
    """Leave out what differs from process to process: all processes of a service add to one series.

    Args:
        resource: The resource of spans and events.

    Returns:
        The same without `service.instance.id` and `process.*`.
    """
    shared = {key: value for key, value in resource.attributes.items() if not key.startswith(_PER_PROCESS)}
    return Resource(shared, resource.schema_url)


def _detectors() -> Iterator[EntryPoint]:
    """Give the detectors for where this process runs, unless the environment names some itself: those the SDK asks."""
    if "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS" not in os.environ:
        for name in dict.fromkeys(name for variable, name in _PLATFORMS.items() if variable in os.environ):
            yield from entry_points(group="opentelemetry_resource_detector", name=name)


def _host_name(explicit: Mapping[str, object]) -> str | None:
    if "host.name" in explicit or "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # a function has no host that stays
        return None
    with guard.CONFIGURE:
        return socket.gethostname()
    return None
