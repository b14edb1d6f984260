"""Settings of the query service."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from waferscope_schemas.settings import Site


class QuerySettings(Site):
    """What the query service can be told from outside."""

    model_config = SettingsConfigDict(env_prefix="WAFERSCOPE_QUERY_")

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(18000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    connections: int = Field(10, ge=2, description="Connections to the database at most")
    timeout: float = Field(120.0, gt=0, description="Seconds that a query may take, waiting included")
    max_concurrency: int = Field(20, ge=1, description="Queries at a time; more wait in a queue, fair between clients")
    max_queue: int = Field(400, ge=0, description="Queries that may wait; more are refused")
    max_samples: int = Field(50_000_000, ge=1, description="Samples that a query may load into memory")
    max_series: int = Field(1_000_000, ge=1, description="Series that the selectors of a query may match, together")
    max_memory: int = Field(2 << 30, ge=1 << 20, description="Bytes of arrays that a query may have at a time")
    total_memory: int = Field(
        4 << 30, ge=1 << 20, description="Bytes of arrays that all queries may have at a time, together"
    )
    cache_bytes: int = Field(512 << 20, ge=0, description="Bytes of samples that are kept in memory; 0 keeps none")
    warm_window: float = Field(
        7200.0,
        ge=0,
        description="Seconds of the recent past that are kept in memory from the start on",
    )
    result_cache_bytes: int = Field(
        64 << 20, ge=0, description="Bytes of answered steps that are kept in memory, with cache_bytes; 0 keeps none"
    )
    lookback: float = Field(300.0, gt=0, description="Seconds that a sample counts as current, without a stale marker")
    use_start_timestamps: bool = Field(
        False,  # noqa: FBT003
        description="Whether rate() and others look at start timestamps; a request may say otherwise by a header",
    )
    slow_query: float = Field(10.0, ge=0, description="Seconds from which a query is logged as slow")
    active_queries: Path | None = Field(
        None, description="File that notes the queries under way; after a crash the next start logs what it holds"
    )
    writer_url: str = Field(
        "http://127.0.0.1:14318", description="The writer, which gets what is sent here to be stored"
    )
    enable_admin_api: bool = Field(
        False,  # noqa: FBT003
        validation_alias="WAFERSCOPE_ENABLE_ADMIN_API",
        description="Whether /api/v1/admin may delete samples",
    )
