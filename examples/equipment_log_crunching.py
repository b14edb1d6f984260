"""Crunch a week of equipment logs in forked workers: time in each E10 state, and the alarms behind the down time.

One worker takes one day. The logs here are synthetic: a tool that cycles through productive, standby and down, with
alarms before it goes down.
"""

import argparse
import multiprocessing
import re
from collections import Counter
from dataclasses import dataclass
from functools import partial

import numpy as np

import waferscope

DAY_S = 86_400
DOWN = 0.2  # chance that a productive stretch ends in unscheduled down time
CHAMBERS = ("A", "B", "C", "D")
ALARMS = {"RF-REFLECTED": 0.5, "HE-LEAK": 0.3, "SLIT-VALVE": 0.2}
LINE = re.compile(r"(?P<second>\d+\.\d{3}) (?P<chamber>[A-D]) (?P<kind>STATE|ALARM|TRACE) (?P<value>\S+)")


@dataclass(frozen=True, slots=True)
class Day:
    """What one day's log says."""

    state_s: Counter[str]
    alarms: Counter[str]
    lines: int


def log_of(day: int, seed: int) -> list[str]:
    """Return a day's log lines in order of time."""
    rng = np.random.default_rng((seed, day))
    lines = []
    for chamber in CHAMBERS:
        second = 0.0
        while second < DAY_S:
            lines.append((second, f"{chamber} STATE PRD"))
            busy = rng.exponential(5400)
            lines += [(at, f"{chamber} TRACE p={rng.normal(5, 0.1):.3f}") for at in second + np.arange(1, busy, 20)]
            second += busy
            if rng.random() < DOWN:
                lines.append((second - 1, f"{chamber} ALARM {rng.choice(list(ALARMS), p=list(ALARMS.values()))}"))
                lines.append((second, f"{chamber} STATE UDT"))
                second += rng.exponential(1800)
            else:
                lines.append((second, f"{chamber} STATE SBY"))
                second += rng.exponential(600)
    return [f"{second:.3f} {text}" for second, text in sorted(lines) if second < DAY_S]


def crunch(day: int, seed: int) -> Day:
    """Add up one day: seconds in each state over all chambers, and alarms by their code."""
    lines = log_of(day, seed)
    state_s: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    since: dict[str, tuple[str, float]] = {}
    for line in lines:
        match = LINE.match(line)
        if match is None or match["kind"] == "TRACE":
            continue
        if match["kind"] == "ALARM":
            alarms[match["value"]] += 1
            continue
        second, chamber = float(match["second"]), match["chamber"]
        if chamber in since:
            state, start = since[chamber]
            state_s[state] += second - start
        since[chamber] = match["value"], second
    for state, start in since.values():
        state_s[state] += DAY_S - start
    return Day(state_s, alarms, len(lines))


def main() -> None:
    """Crunch the logs and print utilisation and alarms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--equipment", default="ETCH-07")
    parser.add_argument("--recipe", default="LOG-SCAN")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    waferscope.configure(service="equipment-logs")
    state_s: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    with waferscope.job("equipment-log-crunching", equipment=args.equipment, recipe=args.recipe) as job:
        with multiprocessing.get_context("fork").Pool(args.workers) as workers, job.step("crunch"):
            days = workers.imap(partial(crunch, seed=args.seed), range(args.days))
            for done, day in enumerate(days, start=1):
                state_s += day.state_s
                alarms += day.alarms
                job.progress(done, args.days)
        with job.step("summarise"):
            total = sum(state_s.values())
            shares = {state: state_s[state] / total for state in ("PRD", "SBY", "UDT")}
    print(f"{args.equipment}: " + ", ".join(f"{state} {share:.1%}" for state, share in shares.items()))
    print(f"{args.equipment}: " + ", ".join(f"{code} {count}" for code, count in alarms.most_common()))


if __name__ == "__main__":
    main()
