"""PromQL over HTTP: from a request to its whole answer, beside a Prometheus that holds the same samples."""

import asyncio
import math
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from asked.load import (
    BUCKETS,
    GROUP,
    HISTOGRAMS,
    INTERVAL_S,
    SAMPLES,
    SERIES,
    TOOLS,
    append_other,
    append_site,
    fill_other,
    fill_site,
    instant_ms,
)
from asked.service import client_of
from ingest.prometheus import prometheus
from ingest.servers import servers

STEPS = 240
ROUNDS = 9
_WARMING_S = 4.0  # until what was written has been read without anybody asking


@dataclass(frozen=True, slots=True)
class Case:
    """A query to measure."""

    name: str
    expr: str
    series: int | None  # in the answer; None: ties leave it open


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask, and its database."""

    client: httpx.Client
    url: str


ONE, MANY, ALL = (
    'wafer_sample_total{area="a3", tool="t7", chamber="c0"}',
    'wafer_sample_total{area="a3"}',
    "wafer_sample_total",
)
BUCKETED = f"{BUCKETS * HISTOGRAMS:,} bucket series, histogram_quantile by (tool)"
CASES = (
    Case("one series, raw", ONE, 1),
    Case("one series, rate", f"rate({ONE}[5m])", 1),
    Case(f"{GROUP} series, raw", MANY, GROUP),
    Case(f"{GROUP} series, sum by (tool) (rate)", f"sum by (tool) (rate({MANY}[5m]))", TOOLS),
    Case(f"{SERIES:,} series, sum by (tool) (rate)", f"sum by (tool) (rate({ALL}[5m]))", TOOLS),
    Case(f"{SERIES:,} series, quantile by (tool)", f"quantile by (tool) (0.9, {ALL})", TOOLS),
    Case(f"{SERIES:,} series, topk", f"topk by (tool) (1, {ALL})", None),
    Case(
        BUCKETED,
        "histogram_quantile(0.9, sum by (tool, le) (rate(wafer_step_duration_seconds_bucket[5m])))",
        TOOLS,
    ),
)


def main() -> None:
    """Print the milliseconds of each query."""
    print(f"## Query\n\n{SERIES:,} series x {SAMPLES} samples at {INTERVAL_S} s, {STEPS} steps of {INTERVAL_S} s, from")
    print(
        "request to whole answer. Cold: nothing from memory but compiled kernels; warm: samples in memory, no result,"
    )
    print("each time from another second on; refresh: the same query once 15 s of samples more have come.\n")
    for place in range(2):
        with servers() as urls:
            if place >= len(urls):
                return
            name, url = list(urls.items())[place]
            asyncio.run(fill_site(url))
            with prometheus() as other:
                if other:
                    fill_other(other.url)
                with client_of(url) as client, httpx.Client(base_url=other.url if other else "", timeout=120) as theirs:
                    _wait_until_warm(client)
                    _report(name, Server(client, url), Server(theirs, other.url) if other else None)


def _wait_until_warm(client: httpx.Client) -> None:
    """Wait until the recent past is in memory: until no more comes."""
    known = -1.0
    while (found := _cached(client)) != known or not found:
        known = found
        time.sleep(_WARMING_S)


def _cached(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("waferscope_query_cache_bytes "))


def _report(name: str, ours: Server, theirs: Server | None) -> None:
    """Measure each query, ours and Prometheus's in turn."""
    print(f"### {name}\n\n| query | ms: cold | warm | refresh | Prometheus | against it: cold | warm | refresh |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    newest = SAMPLES - 1
    for case in CASES:
        _ask(ours, case, newest)  # loads what the process loads once
        cold = statistics.median(_ask(ours, case, newest, nocache="1") for _ in range(3))
        warm, refresh, other = [], [], []
        for round_ in range(ROUNDS):
            warm.append(_ask(ours, case, newest, later=round_ + 1))
            other.append(_ask(theirs, case, newest, later=round_ + 1) if theirs else math.nan)
        _ask(ours, case, newest)
        for _ in range(5):
            newest += 1
            append_site(ours.url, newest)
            if theirs:
                append_other(theirs.url, np.array([newest]))
            time.sleep(_WARMING_S)
            refresh.append(_ask(ours, case, newest))
        times = [cold, *map(statistics.median, (warm, refresh, other))]
        ratios = [f"{one / times[3]:.2f}" for one in times[:3]]
        print(f"| {case.name} | {' | '.join(f'{one:.1f}' for one in times)} | {' | '.join(ratios)} |", flush=True)
    print()


def _ask(server: Server, case: Case, newest: int, later: int = 0, **extra: str) -> float:
    """Ask for the steps up to an instant, or some seconds after; in milliseconds."""
    end = instant_ms(newest) // 1000 + later
    fields = {"query": case.expr, "start": end - (STEPS - 1) * INTERVAL_S, "end": end, "step": INTERVAL_S, **extra}
    began = time.perf_counter()
    answer = server.client.post("/api/v1/query_range", data=fields)
    elapsed = (time.perf_counter() - began) * 1000
    result = answer.raise_for_status().json()["data"]["result"]
    assert case.series in (None, len(result)), (case, len(result))
    assert case.series is None or all(len(series["values"]) == STEPS for series in result), case
    return elapsed


if __name__ == "__main__":
    main()
