"""This machine's Collector beside the stack: a stock one with the repository's host.yaml."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from waferscope_stack.data_dir import DataDir
from waferscope_stack.part import Child
from waferscope_stack.ports import LOOPBACK, free_port, require_free
from waferscope_stack.stack import Stack, await_ready

CONFIG = Path(__file__).parents[3] / "collector" / "config" / "host.yaml"


class HostCollector(BaseSettings):
    """Where the Collector listens on loopback; 0 means any free port."""

    model_config = SettingsConfigDict(env_prefix="WAFERSCOPE_COLLECTOR_", frozen=True, extra="ignore")

    grpc_port: int = Field(4317, ge=0, le=65535, description="Port for OTLP over gRPC")
    http_port: int = Field(4318, ge=0, le=65535, description="Port for OTLP over HTTP")
    health_port: int = Field(17000, ge=0, le=65535, description="Port of /v1/health")
    metrics_port: int = Field(8000, ge=0, le=65535, description="Port of its own /metrics")

    def with_ports(self) -> "HostCollector":
        """Fill in free ports where any will do, and check that each can be listened on.

        Raises:
            PortTakenError: One is in use; the message names the port and its setting.
        """
        ports: dict[str, int] = self.model_dump()
        chosen = self.model_copy(update={name: port or free_port() for name, port in ports.items()})
        for name, port in chosen.model_dump().items():
            require_free(LOOPBACK, port, f"WAFERSCOPE_COLLECTOR_{name.upper()}")
        return chosen

    @property
    def endpoint(self) -> str:
        """URL for OTLP over HTTP."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @contextlib.contextmanager
    def running(self, binary: Path, stack: Stack, data_dir: DataDir) -> Iterator[None]:
        """Run it as a part of the stack, spooling in the data folder.

        Args:
            binary: The Collector.
            stack: Whose writer it sends to; watches over it.
            data_dir: Holds its spool and its log.

        Raises:
            PartEndedError: It, or another part, ended.
            StackError: It doesn't get ready.
        """
        environment = {f"WAFERSCOPE_COLLECTOR_{name.upper()}": str(port) for name, port in self.model_dump().items()}
        environment["WAFERSCOPE_COLLECTOR_HOST"] = LOOPBACK
        environment["WAFERSCOPE_COLLECTOR_SPOOL"] = str(data_dir.path / "collector")
        environment["WAFERSCOPE_COLLECTOR_WRITER_ENDPOINT"] = f"http://{stack.endpoints.writer_grpc}"
        child = Child("Collector", [binary, "--config", CONFIG], environment, data_dir.log("collector"))
        stack.parts.append(child)
        try:
            await_ready(f"http://{LOOPBACK}:{self.health_port}/v1/health", stack.parts)
            yield
        finally:
            child.stop()
