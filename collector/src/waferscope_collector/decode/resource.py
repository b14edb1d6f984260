"""What a resource says about all telemetry below it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from waferscope_collector.decode.attributes import Plain, label_text, plain_map
from waferscope_collector.decode.limits import within_key
from waferscope_collector.decode.names import label_name

SITE = "wafer.site.id"
PROMOTED = (SITE, "host.name", "service.version")  # attributes that become labels of every series, by default
_IDENTITY = ("service.namespace", "service.name", "service.instance.id")  # which become job and instance


@dataclass(frozen=True, slots=True)
class Origin:
    """Where telemetry comes from; the empty string stands for what the resource does not say."""

    site: str
    namespace: str
    service: str
    instance: str
    version: str
    host: str

    @property
    def target(self) -> tuple[tuple[str, str], ...]:
        """The labels that name the source of a series: job and instance."""
        job = f"{self.namespace}/{self.service}" if self.namespace and self.service else self.service
        return tuple(pair for pair in (("instance", self.instance), ("job", job)) if pair[1])

    @property
    def fits(self) -> bool:
        """Whether every name is short enough for the keys that it becomes part of."""
        return all(map(within_key, (self.site, self.namespace, self.service, self.instance, self.version, self.host)))


def origin(attributes: Iterable[KeyValue], default_site: str) -> Origin:
    """Read the origin from a resource's attributes.

    Args:
        attributes: Of the OTLP resource.
        default_site: The site of telemetry that names none.

    Returns:
        The origin, its strings storable.
    """
    known = plain_map(attributes)

    def text(key: str) -> str:
        return label_text(known.get(key))

    return Origin(
        site=text(SITE) or default_site,
        namespace=text("service.namespace"),
        service=text("service.name"),
        instance=text("service.instance.id"),
        version=text("service.version"),
        host=text("host.name"),
    )


def promoted(attributes: Mapping[str, Plain], names: Iterable[str], default_site: str) -> dict[str, str]:
    """Return the labels that every series of a resource gets beside job and instance.

    Args:
        attributes: Of the resource.
        names: Attributes that become labels.
        default_site: The site of telemetry that names none.
    """
    known = {SITE: default_site, **{key: value for key, value in attributes.items() if value}}
    texts = {label_name(name): label_text(known.get(name)) for name in names}
    return {name: text for name, text in texts.items() if text}


def target_info(attributes: Mapping[str, Plain]) -> list[tuple[str, str]]:
    """Return the attributes that target_info tells of a source: all that do not identify it.

    Source: OpenTelemetry specification, Prometheus and OpenMetrics compatibility, "Resource Attributes".
    """
    return [(key, label_text(value)) for key, value in attributes.items() if key not in _IDENTITY]
