"""How the wrapper's benches measure: round after round, all subjects in turn, medians."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 30
CALLS = 300


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call costs, s: on the caller's clock, and in CPU time of all threads."""

    wall: float
    cpu: float


def cost(block: Callable[[], object], settle: Callable[[], object], calls: int = CALLS) -> Cost:
    """Measure one round of a subject.

    Args:
        block: One call.
        settle: Waits until what the calls left to other threads is done; not on the caller's clock.
        calls: In the round.
    """
    gc.collect()
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(calls):
        block()
    wall = time.perf_counter() - began
    settle()
    return Cost(wall / calls, (time.process_time() - cpu) / calls)


def compared(rounds: Sequence[tuple[Cost, Cost]]) -> dict[str, float]:
    """Give medians over pairs of the raw and the own cost, ratios pair by pair."""
    return {
        "raw_us": statistics.median(raw.wall for raw, _ in rounds) * 1e6,
        "own_us": statistics.median(own.wall for _, own in rounds) * 1e6,
        "ratio": statistics.median(own.wall / raw.wall for raw, own in rounds),
        "cpu_ratio": statistics.median(own.cpu / raw.cpu for raw, own in rounds),
    }
