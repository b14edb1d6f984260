"""Run the sample jobs as separate processes, with lots, equipment and recipes varied.

Exits with 0 when each job ended as it should, the failing ones included.
"""

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample job and the exit code that it should end with."""

    script: str
    arguments: tuple[str, ...]
    expected: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sample job ended."""

    sample: Sample
    code: int
    seconds: float
    output: str


def samples() -> list[Sample]:
    """Return the sample jobs in the order in which they start."""

    def sample(script: str, *arguments: str, expected: int = 0) -> Sample:
        return Sample(script, arguments, expected)

    defects = [
        sample("wafer_map_defects.py", "--lot", lot, "--equipment", tool, "--recipe", recipe, "--seed", str(seed))
        for seed, (lot, tool, recipe) in enumerate(
            [("LOT-4711", "INSP-01", "BF-193"), ("LOT-4712", "INSP-02", "BF-193"), ("LOT-4713", "INSP-01", "DF-266")]
        )
    ]
    overlay = [
        sample("overlay_regression.py", "--lot", lot, "--equipment", tool, "--recipe", recipe, *mode)
        for lot, tool, recipe, mode in [
            ("LOT-4711", "OVL-02", "M1-VIA1", ()),
            ("LOT-4712", "OVL-02", "M1-VIA1", ("--async",)),
            ("LOT-4713", "OVL-03", "VIA1-M2", ("--async", "--seed", "7")),
        ]
    ]
    logs = [
        sample("equipment_log_crunching.py", "--equipment", tool, "--seed", seed)
        for tool, seed in [("ETCH-07", "1"), ("ETCH-08", "8")]
    ]
    recipes = [
        sample("failing_recipe.py", "--lot", "LOT-4712", "--recipe", "M1-TRIAL", expected=1),
        sample("failing_recipe.py", "--lot", "LOT-4713", "--recipe", "M1-PROD", "--target", "45"),
    ]
    return [*defects, *overlay, *logs, *recipes, sample("lot_journey.py")]


def run(sample: Sample) -> Outcome:
    """Run one sample job to its end."""
    start = time.monotonic()
    command = [sys.executable, str(HERE / sample.script), *sample.arguments]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603 - our own scripts
    except subprocess.TimeoutExpired:
        return Outcome(sample, -1, time.monotonic() - start, f"no end after {TIMEOUT_S} s")
    output = process.stdout if process.returncode == sample.expected else process.stdout + process.stderr
    return Outcome(sample, process.returncode, time.monotonic() - start, output)


def main() -> int:
    """Run all sample jobs and print how they ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parallel", type=int, default=2, help="jobs at the same time")
    args = parser.parse_args()

    unexpected = 0
    with ThreadPoolExecutor(args.parallel) as pool:
        for outcome in pool.map(run, samples()):
            right = outcome.code == outcome.sample.expected
            unexpected += not right
            ended = "as expected" if right else f"UNEXPECTED, {outcome.sample.expected} expected"
            arguments = " ".join(outcome.sample.arguments)
            print(f"{outcome.sample.script} {arguments}: exit code {outcome.code} in {outcome.seconds:.1f} s, {ended}")
            print("".join(f"    {line}\n" for line in outcome.output.splitlines()), end="", flush=True)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
