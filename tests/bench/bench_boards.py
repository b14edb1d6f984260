"""Board users at once: twenty look at ten panels each and refresh every ten seconds, while samples go on coming."""

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from asked.load import INTERVAL_S, SAMPLES, append_site, fill_site, instant_ms
from asked.service import most_resident, service
from ingest.servers import servers

USERS, EVERY_S, SECONDS = 20, 10, 120
HOUR_STEPS = 240
_TIMEOUT_S = 60

PANELS = (
    "sum by (tool) (rate(wafer_sample_total{area=~'$area'}[5m]))",
    "topk(5, sum by (tool) (increase(wafer_sample_total{area=~'$area'}[15m])))",
    "sum(rate(wafer_sample_total{line='l0', area=~'$area'}[5m])) / sum(rate(wafer_sample_total{line='l0'}[5m]))",
    "quantile by (area) (0.9, rate(wafer_sample_total{area=~'$area'}[5m]))",
    "max by (chamber) (wafer_sample_total{area=~'$area'})",
    "avg_over_time(sum(rate(wafer_sample_total{area=~'$area'}[2m]))[10m:1m])",
    "rate(wafer_sample_total{area=~'$area', tool='t7'}[5m])",
    "histogram_quantile(0.95, sum by (tool, le) (rate(wafer_step_duration_seconds_bucket{chamber='c3'}[5m])))",
    "sum(rate(wafer_step_duration_seconds_sum[5m])) / sum(rate(wafer_step_duration_seconds_count[5m]))",
    "count by (area) (wafer_sample_total)",
)


@dataclass(slots=True)
class Seen:
    """What users met: the seconds of each panel, and what failed."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    """Print percentiles, errors and memory."""
    print(
        f"## Board users\n\n{USERS} users, {len(PANELS)} panels each, an hour at {INTERVAL_S} s, refreshed each {EVERY_S} s"
    )
    print(f"for {SECONDS} s, on {psutil.cpu_count()} cores with database, load generator and service.\n")
    print(
        "| database | panels | errors | median, ms | 95th percentile, ms | at most, ms | resident, MiB | at most, MiB |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    with servers() as urls:
        for name, url in urls.items():
            asyncio.run(fill_site(url))
            with service(url) as (address, process):
                seen = asyncio.run(_watched(address, url))
                memory = process.memory_info().rss / 2**20
                most = most_resident(process)
            found = np.percentile(seen.seconds, (50, 95, 100)) * 1000
            times = " | ".join(f"{one:.0f}" for one in found)
            print(
                f"| {name} | {len(seen.seconds):,} | {len(seen.errors)} | {times} | {memory:.0f} | {most:.0f} |",
                flush=True,
            )
            for error in sorted(set(seen.errors))[:5]:
                print(error, file=sys.stderr)


async def _watched(address: str, url: str) -> Seen:
    """Let all users look, and samples come every interval; time goes on from the last sample."""
    seen, began = Seen(), time.monotonic()
    limits = httpx.Limits(max_connections=USERS * 6)  # a browser has six connections to a host
    async with httpx.AsyncClient(base_url=address, timeout=_TIMEOUT_S, limits=limits) as client:
        await _refresh(client, random.Random(0), instant_ms(SAMPLES - 1) // 1000, Seen())  # loads what is loaded once
        writing = asyncio.create_task(asyncio.to_thread(_write, url, began))
        await asyncio.gather(*(_user(client, number, began, seen) for number in range(USERS)))
        await writing
    return seen


def _write(url: str, began: float) -> None:
    for index in range(SAMPLES, SAMPLES + SECONDS // INTERVAL_S):
        time.sleep(max(0.0, began + (index - SAMPLES + 1) * INTERVAL_S - time.monotonic()))
        append_site(url, index)


async def _user(client: httpx.AsyncClient, number: int, began: float, seen: Seen) -> None:
    chance = random.Random(number)
    area = chance.choice([".*", *(f"a{k}" for k in range(8))])
    await asyncio.sleep(chance.random() * EVERY_S)
    while (elapsed := time.monotonic() - began) < SECONDS:
        now = instant_ms(SAMPLES - 1) // 1000 + int(elapsed)
        await _refresh(client, chance, now, seen, area)
        await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began - elapsed)))


async def _refresh(client: httpx.AsyncClient, chance: random.Random, now: int, seen: Seen, area: str = ".*") -> None:
    """Ask for all panels at once, as Grafana does: ends aligned to the step."""
    end = now // INTERVAL_S * INTERVAL_S
    panels = chance.sample(PANELS, len(PANELS))
    await asyncio.gather(*(_panel(client, panel.replace("$area", area), end, seen) for panel in panels))


async def _panel(client: httpx.AsyncClient, query: str, end: int, seen: Seen) -> None:
    fields = {"query": query, "start": end - (HOUR_STEPS - 1) * INTERVAL_S, "end": end, "step": INTERVAL_S}
    began = time.perf_counter()
    try:
        answer = await client.post("/api/v1/query_range", data=fields)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        seen.errors.append(f"{type(error).__name__} {error} {query}")
        return
    seen.seconds.append(time.perf_counter() - began)


if __name__ == "__main__":
    main()
