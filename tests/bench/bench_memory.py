"""The writer's memory at a million series, while it makes them and under full load after that."""

import asyncio
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingest import loads
from ingest.servers import Writer, by_grpc, servers, writer

from waferscope_schemas.migrate import migrate

SERIES = 1_000_000
POINTS = 8_000  # of a request
MIB = 2**20


def main() -> None:
    """Print a table for each database."""
    print(f"### The writer at {SERIES:,} series\n")
    with servers() as urls:
        for name, url in urls.items():
            print(f"{name}\n\n| what | points/s | resident, MiB | at most, MiB |\n|---|---:|---:|---:|", flush=True)
            asyncio.run(_measure(url))
            print()


async def _measure(url: str) -> None:
    await migrate(url)
    start = loads.begin()
    with writer(url) as under:
        for what, time in (("new series", start), ("the next sample of each", start + loads.STEP * 10**9)):
            bodies = [loads.fresh(first, POINTS, time) for first in range(0, SERIES, POINTS)]
            seconds = await by_grpc(under.grpc, bodies)
            print(
                f"| {what} | {SERIES / seconds:,.0f} | {under.memory() / MIB:,.0f} | {_peak(under):,.0f} |", flush=True
            )


def _peak(under: Writer) -> float:
    """Return the sum of the high-water marks of the writer's processes, MiB."""
    processes = (under.process, *under.process.children(recursive=True))
    marks = (re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{one.pid}/status").read_text()) for one in processes)
    return sum(int(mark[1]) / 1024 for mark in marks if mark)


if __name__ == "__main__":
    main()
