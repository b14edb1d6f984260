"""The resource: which service, on which host, at which site produces the telemetry."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from waferscope import semconv
from waferscope._internal import guard
from waferscope._internal.settings import Settings

_PER_PROCESS = ("service.instance.id", "process.")


def build(settings: Settings) -> Resource:
    """Describe this process for spans and events.

    Args:
        settings: Site, service and version; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME fill what they leave open.

    Returns:
        The SDK's resource with host name and site, and the schema URL of the attributes.
    """
    given = {
        semconv.WAFER_SITE_ID: settings.site,
        "service.name": settings.service,
        "service.version": settings.version,
        "host.name": _host_name(OTELResourceDetector().detect().attributes),
    }
    return Resource.create({key: value for key, value in given.items() if value}, semconv.SCHEMA_URL)


def for_metrics(resource: Resource) -> Resource:
    """Leave out what differs from process to process: all processes of a service add to one series.

    Args:
        resource: The resource of spans and events.

    Returns:
        The same without `service.instance.id` and `process.*`.
    """
    shared = {key: value for key, value in resource.attributes.items() if not key.startswith(_PER_PROCESS)}
    return Resource(shared, resource.schema_url)


def _host_name(explicit: Mapping[str, object]) -> str | None:
    if "host.name" in explicit:
        return None
    with guard.CONFIGURE:
        return socket.gethostname()
    return None
