"""The addresses of a stack: chosen and checked before anything starts."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

from waferscope_stack.errors import PortTakenError
from waferscope_stack.ports import LOOPBACK, free_port, require_free
from waferscope_stack.settings import Stack

ANY = {"0.0.0.0", "::", ""}  # noqa: S104 - recognised here, not listened on


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the parts of a stack listen.

    Attributes:
        query_host: Address of the query service.
        query_port: Its port.
        writer_host: Address of the writer.
        writer_http_port: Its port for OTLP over HTTP.
        writer_grpc_port: Its port for OTLP over gRPC.
        database_port: Loopback port of the embedded database; None where the database is another's.
    """

    query_host: str
    query_port: int
    writer_host: str
    writer_http_port: int
    writer_grpc_port: int
    database_port: int | None

    @classmethod
    def choose(cls, settings: Stack) -> Self:
        """Fill in free ports where any will do, and check that each can be listened on.

        Args:
            settings: What the user wants.

        Returns:
            The addresses; nobody listened on them just now.

        Raises:
            PortTakenError: One is in use, or wanted twice; the message names the port and its setting.
        """
        embedded = settings.database_url is None
        chosen = cls(
            query_host=settings.query_host,
            query_port=settings.query_port or free_port(),
            writer_host=settings.writer_host,
            writer_http_port=settings.writer_http_port or free_port(),
            writer_grpc_port=settings.writer_grpc_port or free_port(),
            database_port=(settings.database_port or free_port()) if embedded else None,
        )
        chosen._require_free()
        return chosen

    @property
    def query(self) -> str:
        """URL of the query service, for clients on this machine."""
        return f"http://{_address(self.query_host, self.query_port)}"

    @property
    def writer_http(self) -> str:
        """URL of the writer's OTLP over HTTP, for clients on this machine."""
        return f"http://{_address(self.writer_host, self.writer_http_port)}"

    @property
    def writer_grpc(self) -> str:
        """`host:port` of the writer's OTLP over gRPC, for clients on this machine."""
        return _address(self.writer_host, self.writer_grpc_port)

    def environment(self) -> dict[str, str]:
        """Return the variables that make the parts listen here."""
        return {
            "WAFERSCOPE_QUERY_HOST": self.query_host,
            "WAFERSCOPE_QUERY_PORT": str(self.query_port),
            "WAFERSCOPE_QUERY_WRITER_URL": self.writer_http,
            "WAFERSCOPE_WRITER_HOST": self.writer_host,
            "WAFERSCOPE_WRITER_HTTP_PORT": str(self.writer_http_port),
            "WAFERSCOPE_WRITER_GRPC_PORT": str(self.writer_grpc_port),
        }

    def _require_free(self) -> None:
        wanted = [
            (self.query_host, self.query_port, "WAFERSCOPE_QUERY_PORT"),
            (self.writer_host, self.writer_http_port, "WAFERSCOPE_WRITER_HTTP_PORT"),
            (self.writer_host, self.writer_grpc_port, "WAFERSCOPE_WRITER_GRPC_PORT"),
        ]
        if self.database_port is not None:
            wanted.append((LOOPBACK, self.database_port, "WAFERSCOPE_STACK_DATABASE_PORT"))
        port, times = Counter(port for _, port, _ in wanted).most_common(1)[0]
        if times > 1:
            settings = " and ".join(setting for _, wanted_port, setting in wanted if wanted_port == port)
            raise PortTakenError(f"port {port} is wanted by {settings}: give each its own")
        for host, port, setting in wanted:
            require_free(host, port, setting)


def _address(host: str, port: int) -> str:
    host = LOOPBACK if host in ANY else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
