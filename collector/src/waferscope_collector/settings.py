"""The writer's settings, each from an environment variable."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from waferscope_collector.decode.resource import PROMOTED
from waferscope_schemas.settings import Site

MEBIBYTE = 1024 * 1024


class WriterSettings(Site):
    """Settings of `waferscope serve writer`."""

    model_config = SettingsConfigDict(env_prefix="WAFERSCOPE_WRITER_")

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on")
    http_port: int = Field(14318, ge=1, le=65_535, description="Port of OTLP over HTTP, health and metrics")
    grpc_port: int = Field(14317, ge=1, le=65_535, description="Port of OTLP over gRPC")
    http_limit: int = Field(
        20 * MEBIBYTE,
        ge=1024,
        description="Bytes of a request's body over HTTP at most, before and after decompression",
    )
    grpc_limit: int = Field(64 * MEBIBYTE, ge=1024, description="Bytes of a message over gRPC at most")
    queue_limit: int = Field(
        256 * MEBIBYTE,
        ge=1024,
        description="Bytes of requests that may wait for their commit; beyond it clients are told to come again",
    )
    series_cache: int = Field(2_000_000, ge=1, description="Series whose ids are kept in memory at most")
    promoted: Annotated[tuple[str, ...], NoDecode] = Field(
        PROMOTED, description="Attributes of resources that become labels of every series, parted by commas"
    )
    host_interval: float = Field(
        30.0, gt=0, description="Seconds between a host's metrics: collection_interval of its Collector"
    )
    ledger_days: int = Field(
        14, ge=1, description="Days that the ledger remembers requests: longer than the longest outage that is spooled"
    )

    @field_validator("promoted", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value
