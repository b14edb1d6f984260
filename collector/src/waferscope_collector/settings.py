"""The writer's settings, each from an environment variable."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from waferscope_collector.decode.limits import Limits
from waferscope_collector.decode.resource import PROMOTED
from waferscope_schemas.settings import Site

MEBIBYTE = 1024 * 1024


class WriterSettings(Site):
    """Settings of `waferscope serve writer`."""

    model_config = SettingsConfigDict(env_prefix="WAFERSCOPE_WRITER_")

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on")
    http_port: int = Field(14318, ge=1, le=65_535, description="Port of OTLP over HTTP, health and metrics")
    grpc_port: int = Field(14317, ge=1, le=65_535, description="Port of OTLP over gRPC")
    processes: int = Field(
        1, ge=1, le=64, description="Processes that share the ports; more than 1 run under a supervisor"
    )
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
    queue_requests: int = Field(
        10_000, ge=1, description="Requests that may wait for their commit; beyond it clients are told to come again"
    )
    series_cache: int = Field(2_000_000, ge=1, description="Series whose ids each process keeps in memory at most")
    promoted: Annotated[tuple[str, ...], NoDecode] = Field(
        PROMOTED, description="Attributes of resources that become labels of every series, parted by commas"
    )
    series_limit: int = Field(
        10_000_000, ge=1, description="Series of the site at most; points of further ones are refused"
    )
    metric_series_limit: int = Field(
        1_000_000, ge=1, description="Series of one metric at most; points of further ones are refused"
    )
    future_limit: float = Field(
        24 * 3600.0,
        gt=0,
        description="Seconds that a timestamp may be ahead of the writer's clock; further ones are refused",
    )
    label_limit: int = Field(128, ge=1, description="Labels of a series at most; points with more are refused")
    label_length_limit: int = Field(
        4096, ge=1, description="Bytes of a label's value at most; points with longer ones are refused"
    )
    sample_interval: float = Field(
        15.0,
        ge=0,
        description="Seconds between samples of what is derived (runs, equipment, carriers, clocks) and of the writer's"
        " own metrics; 0: none are stored",
    )
    grace: float = Field(
        30.0, gt=0, description="Seconds for requests under way when the writer is told to stop; then they are cut off"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Form of the log: text, or json with an event a line"
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

    @property
    def limits(self) -> Limits:
        """Return the limits of what is decoded."""
        return Limits(
            series=self.series_limit,
            metric_series=self.metric_series_limit,
            future_ns=int(self.future_limit * 1e9),
            labels=self.label_limit,
            label_bytes=self.label_length_limit,
        )
