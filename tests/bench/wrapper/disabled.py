"""A step of the disabled wrapper (OTEL_SDK_DISABLED=true)."""

import json
import statistics

from measure import CALLS, ROUNDS, cost

import waferscope


def main() -> None:
    """Measure and print."""
    with waferscope.job("overlay") as job:

        def step() -> None:
            with job.step("fit"):
                pass

        rounds = [cost(step, lambda: None, CALLS * 10).wall for _ in range(ROUNDS)]
    print(json.dumps({"step_us": statistics.median(rounds) * 1e6}))


if __name__ == "__main__":
    main()
