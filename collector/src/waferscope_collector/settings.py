"""The writer's settings, each from an environment variable."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo
from pydantic_settings import NoDecode, SettingsConfigDict

from waferscope_collector.decode.context import Rules
from waferscope_collector.decode.limits import Limits
from waferscope_collector.decode.resource import PROMOTED
from waferscope_collector.retention import Retention
from waferscope_schemas.settings import Site

MEBIBYTE = 1024 * 1024


def _kept(what: str, usual: str) -> Any:
    return Field(
        None,
        gt=timedelta(0),
        description=f"How long {what} are kept (ISO 8601, or D days, HH:MM:SS), usually {usual}; none: for ever",
    )


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
    promoted: Annotated[tuple[str, ...], NoDecode] = Field(
        PROMOTED, description="Attributes of resources that become labels of every series, parted by commas"
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
    rollup_delay: float = Field(
        300.0, gt=0, description="Seconds from one computation of the rollups of what was touched to the next"
    )
    columnstore_grace: timedelta = Field(
        timedelta(minutes=15),
        ge=timedelta(0),
        description="How long after its end a chunk waits for late rows before it goes into the columnstore",
    )
    retention_sample: timedelta | None = _kept("samples", "PT72H")
    retention_histogram_sample: timedelta | None = _kept("samples of histograms", "PT72H")
    retention_exemplar: timedelta | None = _kept("exemplars", "PT72H")
    retention_log_record: timedelta | None = _kept("log records", "P30D")
    retention_span: timedelta | None = _kept("spans", "P30D")
    retention_job_event: timedelta | None = _kept("events of jobs", "P30D")
    retention_rollup_5m: timedelta | None = _kept("rollups of 5 minutes; not shorter than samples", "P90D")
    retention_rollup_1h: timedelta | None = _kept("rollups of an hour", "P3650D")
    retention_job_run: timedelta | None = _kept("runs of jobs", "P3650D")
    retention_step_run: timedelta | None = _kept("steps", "P3650D")
    retention_equipment_state: timedelta | None = _kept("equipment states", "P3650D")

    @field_validator("retention_rollup_5m")
    @classmethod
    def _outlives_samples(cls, period: timedelta | None, info: ValidationInfo) -> timedelta | None:
        """Refuse rollups that go before their samples: hours of late samples could not be summed up any more."""
        if period is not None:
            for name in ("retention_sample", "retention_histogram_sample"):
                samples = info.data.get(name)
                if samples is None or samples > period:
                    raise PydanticCustomError(
                        "period", "must not be shorter than those of samples and histogram samples, which must be set"
                    )
        return period

    @property
    def rules(self) -> Rules:
        """How requests are decoded."""
        limits = Limits(
            series=self.series_limit,
            metric_series=self.metric_series_limit,
            future=self.future_limit,
            labels=self.label_limit,
            label_bytes=self.label_length_limit,
        )
        return Rules(self.site, self.promoted, limits, Retention.of(self))

    @field_validator("promoted", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value
