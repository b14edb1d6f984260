"""A query service to measure."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
from support.ports import free_port
from support.processes import waferscope


@contextmanager
def service(database_url: str, **env: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run a query service on a database; yield where it listens, and its process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    env |= {"WAFERSCOPE_DATABASE_URL": database_url, "WAFERSCOPE_QUERY_PORT": str(port)}
    with waferscope("serve", "query", env=env) as process:
        process.wait_healthy(f"{address}/v1/readyz", within_s=300)
        yield address, psutil.Process(process.pid)


@contextmanager
def client_of(database_url: str) -> Iterator[httpx.Client]:
    """Run a query service on a database; yield a client that wants plain answers."""
    with (
        service(database_url) as (address, _),
        httpx.Client(base_url=address, timeout=120, headers={"Accept-Encoding": "identity"}) as client,
    ):
        yield client


def most_resident(process: psutil.Process) -> float:
    """MiB that a process had resident at most."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
