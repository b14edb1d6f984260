"""A site's servers as processes: a query service with its admin API, and the writer behind it."""

from collections.abc import Iterator
from contextlib import contextmanager

from support import databases, processes
from support.ports import free_ports


@contextmanager
def serving(postgres_url: str, template: str) -> Iterator[str]:
    """Run a writer and a query service with the admin API on a fresh database; yield the query service's URL.

    Args:
        postgres_url: A server.
        template: The migrated database to clone.
    """
    query, writer, grpc = free_ports(3)
    with databases.fresh(postgres_url, template) as database_url:
        env = {
            "WAFERSCOPE_DATABASE_URL": database_url,
            "WAFERSCOPE_QUERY_PORT": str(query),
            "WAFERSCOPE_QUERY_WRITER_URL": f"http://127.0.0.1:{writer}",
            "WAFERSCOPE_ENABLE_ADMIN_API": "1",
            "WAFERSCOPE_WRITER_HTTP_PORT": str(writer),
            "WAFERSCOPE_WRITER_GRPC_PORT": str(grpc),
        }
        with (
            processes.waferscope("serve", "writer", env=env) as storing,
            processes.waferscope("serve", "query", env=env) as answering,
        ):
            storing.wait_healthy(f"http://127.0.0.1:{writer}/v1/readyz", within_s=60)
            answering.wait_healthy(f"http://127.0.0.1:{query}/v1/readyz", within_s=60)
            yield f"http://127.0.0.1:{query}"
