"""How much is fuzzed: a few fixed examples in the suite, as many others as are asked for by the environment."""

import os
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings

EXAMPLES_VARIABLE, SEED_VARIABLE = "WAFERSCOPE_FUZZ_EXAMPLES", "WAFERSCOPE_FUZZ_SEED"
_PHASES = (Phase.explicit, Phase.generate, Phase.shrink)


def seed() -> int:
    """The seed of this run; the suite's own is 0."""
    return int(os.environ.get(SEED_VARIABLE, "0"))


def fuzzed(examples: int) -> Callable[[Any], Any]:
    """Make a hypothesis test repeatable, and longer where the environment asks for it.

    Args:
        examples: How many are enough in the suite.
    """
    asked = settings(
        max_examples=int(os.environ.get(EXAMPLES_VARIABLE, examples)),
        database=None,
        deadline=None,
        phases=_PHASES,
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: hypothesis.seed(seed())(asked(test))
