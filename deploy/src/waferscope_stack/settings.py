"""Settings of `waferscope up`: its own, and those of its parts that it must know before it starts them."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from waferscope_stack.server_user import DEFAULT_USER


class Stack(BaseSettings):
    """Where the embedded stack listens, and what it stands on.

    A port of 0 means any free one. The parts get these values by their environment, so all of them agree.
    """

    model_config = SettingsConfigDict(
        env_prefix="WAFERSCOPE_STACK_", frozen=True, validate_by_name=True, extra="ignore"
    )

    database_url: SecretStr | None = Field(
        None,
        validation_alias="WAFERSCOPE_DATABASE_URL",
        description="A PostgreSQL of your own instead of the embedded one: postgresql://user:password@host:port/database",
    )
    reader_password: SecretStr | None = Field(
        None,
        validation_alias="WAFERSCOPE_SCHEMA_READER_PASSWORD",
        description="Password of the role waferscope_reader; the embedded database gets a generated one if not set",
    )
    database_port: int = Field(15432, ge=0, le=65535, description="Port of the embedded database, on loopback")
    user: str = Field(DEFAULT_USER, min_length=1, description="Who the embedded database runs as when root starts it")
    query_host: str = Field(
        "127.0.0.1", validation_alias="WAFERSCOPE_QUERY_HOST", description="Where the query service listens"
    )
    query_port: int = Field(18000, ge=0, le=65535, validation_alias="WAFERSCOPE_QUERY_PORT", description="Its port")
    writer_host: str = Field(
        "127.0.0.1", validation_alias="WAFERSCOPE_WRITER_HOST", description="Where the writer listens"
    )
    writer_http_port: int = Field(
        14318, ge=0, le=65535, validation_alias="WAFERSCOPE_WRITER_HTTP_PORT", description="Its port for OTLP over HTTP"
    )
    writer_grpc_port: int = Field(
        14317, ge=0, le=65535, validation_alias="WAFERSCOPE_WRITER_GRPC_PORT", description="Its port for OTLP over gRPC"
    )
