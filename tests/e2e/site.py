"""A site under test: writer and query service on a database, asked through their public interfaces only."""

import contextlib
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from support import databases
from support.ports import free_ports
from support.processes import Process, waferscope

SITE = "fab1"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site answers.

    Attributes:
        query: URL of the query service.
        writer_grpc: The writer's OTLP over gRPC, host:port.
        database_url: For the stable SQL views.
    """

    query: str
    writer_grpc: str
    database_url: str

    def get(self, path: str, **parameters: str) -> Any:
        """Return the JSON that the query service answers with."""
        url = f"{self.query}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)

    def promql(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return an instant vector of now: values by their labels."""
        data = self.get("/api/v1/query", query=expression)["data"]
        return {frozenset(item["metric"].items()): float(item["value"][1]) for item in data["result"]}

    def value(self, expression: str) -> float | None:
        """Return the value of an instant vector with one element, None when it has none."""
        result = self.promql(expression)
        assert len(result) <= 1, f"{expression} has {len(result)} elements: {result}"
        return next(iter(result.values()), None)

    def history(self, expression: str, seconds: float) -> list[float]:
        """Return the values of the one series of an expression, every second of the last so many seconds."""
        now = time.time()
        data = self.get("/api/v1/query_range", query=expression, start=f"{now - seconds}", end=f"{now}", step="1")
        (series,) = data["data"]["result"]
        return [float(value) for _, value in series["values"]]

    def sql(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Return the rows of a statement on the site's views."""

        async def fetch() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return [dict(row) for row in await connection.fetch(statement, *arguments)]
            finally:
                await connection.close()

        return databases.run(fetch())

    def job(self, name: str) -> dict[str, Any] | None:
        """Return the one run of a job of this name as `wafer.jobs` shows it, None when it isn't known yet."""
        rows = self.sql("select * from wafer.jobs where name = $1", name)
        assert len(rows) <= 1, f"{len(rows)} runs of {name}"
        return rows[0] if rows else None


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[Site]:
    """Run `waferscope up` on free ports."""
    ports = free_ports(4)
    names = ("QUERY_PORT", "WRITER_HTTP_PORT", "WRITER_GRPC_PORT", "STACK_DATABASE_PORT")
    environment = {f"WAFERSCOPE_{name}": str(port) for name, port in zip(names, ports, strict=True)}
    with waferscope("up", "--json", "--data-dir", folder, env={**environment, "WAFERSCOPE_SITE": SITE}) as process:
        line = json.loads(process.wait_stdout(within_s=60).splitlines()[0])
        yield Site(line["query"], line["writer_grpc"], line["database_url"])


@dataclass(frozen=True, slots=True)
class Services:
    """Writer and query service as processes of their own, so that one of them can fail alone."""

    database_url: str
    query_port: int
    writer_http_port: int
    writer_grpc_port: int

    @classmethod
    def prepare(cls, database_url: str) -> "Services":
        """Choose free ports."""
        return cls(database_url, *free_ports(3))

    @property
    def site(self) -> Site:
        """Where the services answer."""
        return Site(f"http://127.0.0.1:{self.query_port}", f"127.0.0.1:{self.writer_grpc_port}", self.database_url)

    @contextlib.contextmanager
    def writer(self) -> Iterator[Process]:
        """Run the writer; yield it once it is ready."""
        with waferscope("serve", "writer", env=self._environment()) as process:
            yield process.wait_healthy(f"http://127.0.0.1:{self.writer_http_port}/v1/readyz", within_s=60)

    @contextlib.contextmanager
    def query(self) -> Iterator[Process]:
        """Run the query service; yield it once it is ready."""
        with waferscope("serve", "query", env=self._environment()) as process:
            yield process.wait_healthy(f"http://127.0.0.1:{self.query_port}/v1/readyz", within_s=60)

    def repeated(self) -> float:
        """Return how many requests the running writer knew from its ledger."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.writer_http_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("waferscope_writer_repeated_total")
        )

    def _environment(self) -> dict[str, str]:
        return {
            "WAFERSCOPE_SITE": SITE,
            "WAFERSCOPE_DATABASE_URL": self.database_url,
            "WAFERSCOPE_QUERY_PORT": str(self.query_port),
            "WAFERSCOPE_WRITER_HTTP_PORT": str(self.writer_http_port),
            "WAFERSCOPE_WRITER_GRPC_PORT": str(self.writer_grpc_port),
        }
