"""What a resource says about all telemetry below it."""

from collections.abc import Iterable
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from waferscope_collector.decode.attributes import label_text, plain_map
from waferscope_collector.decode.limits import within_key

SITE = "wafer.site.id"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where telemetry comes from; the empty string stands for what the resource does not say."""

    site: str
    namespace: str
    service: str
    instance: str
    version: str
    host: str

    def labels(self) -> tuple[tuple[str, str], ...]:
        """Return the labels that every series of the resource gets: job, instance and the promoted attributes."""
        job = f"{self.namespace}/{self.service}" if self.namespace and self.service else self.service
        pairs = (
            ("host_name", self.host),
            ("instance", self.instance),
            ("job", job),
            ("service_version", self.version),
            ("wafer_site_id", self.site),
        )
        return tuple(pair for pair in pairs if pair[1])

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
