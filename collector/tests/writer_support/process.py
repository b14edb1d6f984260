"""A whole writer as a process, or several: started by its command, fed over its ports."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
import httpx
import psutil
from support.ports import free_ports
from support.processes import Process, waferscope
from support.wait import wait_until

EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROTOBUF = {"content-type": "application/x-protobuf"}


@dataclass(frozen=True, slots=True)
class Ports:
    http: int
    grpc: int
    more: dict[str, str] = field(default_factory=dict)  # settings of the test

    @classmethod
    def free(cls, **more: str) -> "Ports":
        """Choose ports; keywords are settings without their prefix."""
        return cls(*free_ports(2), {f"WAFERSCOPE_WRITER_{name.upper()}": value for name, value in more.items()})

    def env(self, database_url: str) -> dict[str, str]:
        return {
            "WAFERSCOPE_DATABASE_URL": database_url,
            "WAFERSCOPE_WRITER_HTTP_PORT": str(self.http),
            "WAFERSCOPE_WRITER_GRPC_PORT": str(self.grpc),
            "WAFERSCOPE_WRITER_GRPC_LIMIT": "100000",
            "WAFERSCOPE_WRITER_SAMPLE_INTERVAL": "0",  # tests count what they have sent
            **self.more,
        }

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http}{path}"


@contextlib.contextmanager
def writer_process(ports: Ports, database_url: str) -> Iterator[Process]:
    """Run a writer that is ready."""
    with waferscope("serve", "writer", env=ports.env(database_url)) as process:
        yield process.wait_healthy(ports.url("/v1/readyz"), within_s=60)


def export(ports: Ports, body: bytes, compression: grpc.Compression | None = None) -> None:
    """Send metrics over gRPC, on a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}", options=options, compression=compression) as channel:
        channel.unary_unary(EXPORT)(body, timeout=30)


def post(ports: Ports, body: bytes) -> int:
    """Send metrics over HTTP, on a connection of its own; return the answer's status."""
    return httpx.post(ports.url("/v1/metrics"), content=body, headers=PROTOBUF, timeout=30).status_code


def own(ports: Ports, name: str) -> float:
    """Return the sum of one of the writer's own metrics, over all its labels."""
    lines = httpx.get(ports.url("/metrics"), timeout=10).text.splitlines()
    found = [line.rpartition(" ") for line in lines if line.startswith(f"waferscope_writer_{name}")]
    return sum(float(value) for key, _, value in found if key.partition("{")[0] == f"waferscope_writer_{name}")


def children(process: Process, count: int) -> list[psutil.Process]:
    """Return the processes under a supervisor, once as many serve."""
    wait_until(lambda: process.stderr.count("writer: HTTP on") >= count, f"{count} processes serve")
    return psutil.Process(process.pid).children()
