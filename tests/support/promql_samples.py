"""Samples such as jobs and tools leave them: counters with resets, gauges, buckets; gaps, ends, NaN and infinities."""

import math
import struct
from dataclasses import dataclass
from random import Random

BEGIN = 1_700_000_000_000  # ms
STEP = 15_000
STEPS = 80
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
_BOUNDS = ("0.1", "0.5", "1", "5", "+Inf")
_TOOLS = [{"tool": tool, "chamber": chamber} for tool in "abc" for chamber in ("1", "12")]


@dataclass(frozen=True, slots=True)
class Series:
    """One series.

    Attributes:
        labels: The name included.
        samples: Times (ms, ascending) and values.
    """

    labels: dict[str, str]
    samples: list[tuple[int, float]]


def series(seed: int) -> list[Series]:
    """Build the series that `promql_grammar` asks for.

    Args:
        seed: Another one gives other samples of the same series.
    """
    dice = Random(seed)
    made = [
        _series(dice, name, labels, _counter(dice)) for name in ("requests_total", "wafers_total") for labels in _TOOLS
    ]
    made += [_series(dice, name, labels, _gauge(dice)) for name in ("heat", "load") for labels in _TOOLS]
    for labels in _TOOLS[::2]:
        counts = [0.0] * len(_BOUNDS)
        rows = []
        for _ in range(STEPS):
            for bucket in range(dice.randrange(len(_BOUNDS)), len(_BOUNDS)):
                counts[bucket] += dice.randrange(4)
            counts = [max(counts[: n + 1]) for n in range(len(counts))] if dice.random() > 0.03 else [0.0] * len(counts)
            rows.append(counts)
        kept = _times(dice)
        made += [
            Series(
                {"__name__": "latency_bucket", "le": bound, **labels}, [(BEGIN + n * STEP, rows[n][i]) for n in kept]
            )
            for i, bound in enumerate(_BOUNDS)
        ]
    return made


def _series(dice: Random, name: str, labels: dict[str, str], values: list[float]) -> Series:
    shift = dice.choice([0, 0, 1, 777, 14_999])
    samples = [(BEGIN + n * STEP + shift, values[n]) for n in _times(dice)]
    for at in range(len(samples) - 1):
        if samples[at + 1][0] - samples[at][0] > STEP and dice.random() < 0.6:  # an end before a gap
            samples[at] = (samples[at][0], STALE)
    return Series({"__name__": name, **labels}, samples)


def _times(dice: Random) -> list[int]:
    """Steps at which there is a sample: some missing, and sometimes none for long."""
    kept, at = [], dice.choice([0, 0, 10])
    while at < STEPS:
        kept.append(at)
        at += dice.choice([1] * 30 + [2, 4, 22])
    return kept


def _counter(dice: Random) -> list[float]:
    value, values = float(dice.randrange(100)), []
    for _ in range(STEPS):
        value = 0.0 if dice.random() < 0.04 else value + dice.choice([0, 1, 2.5, 7, 100])
        values.append(value)
    return values


def _gauge(dice: Random) -> list[float]:
    """Eighths, so that their sums are exact in any order; some series have odd values."""
    odd = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e9]
    is_odd = dice.random() < 0.3
    return [dice.choice(odd) if is_odd and dice.random() < 0.1 else dice.randrange(-400, 400) / 8 for _ in range(STEPS)]
