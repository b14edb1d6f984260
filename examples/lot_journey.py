"""Take a lot through three tools: queueing, carriers that come and go, states of the tools, a retry, a skipped step.

Each visit is a job of its own with the measurement of the wafers as a subjob in a worker thread; the lot ties them
together. The fab here is simulated, a thousand times faster than a real one.
"""

import argparse
import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone

import waferscope

LOG = logging.getLogger("lot-journey")
SCALE = 0.001  # simulated seconds that one second of the fab takes


class VacuumError(Exception):
    """The chamber did not reach its base pressure."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One operation on the lot's route."""

    operation: str
    equipment: str
    recipe: str
    process_s: float


ROUTE = (
    Visit("LITHO-M1", "SCAN-03", "M1-PROD", 40),
    Visit("ETCH-M1", "ETCH-07", "M1-OXIDE", 90),
    Visit("OVERLAY-M1", "OVL-02", "M1-VIA1", 25),
)


def process(visit: Visit, rng: random.Random, *, first: bool) -> None:
    """Process the lot; the etcher needs a second try.

    Raises:
        VacuumError: The first try in the etcher.
    """
    time.sleep(visit.process_s * SCALE * rng.uniform(0.8, 1.2))
    if first and visit.operation.startswith("ETCH"):
        raise VacuumError("base pressure not reached")


@waferscope.job("wafer-measurement", slot=lambda slot, _: slot)
def measure(slot: int, rng: random.Random) -> None:
    """Measure one wafer; lot and equipment are those of the job around it."""
    job = waferscope.current_job()
    job.record("film.thickness", rng.gauss(250, 2), "nm")
    if slot % 10 == 0:
        job.skip("not in the sampling plan")


def visit_tool(visit: Visit, lot: str, carrier: str, wafers: int, rng: random.Random) -> None:
    """Let the lot arrive, be processed, be measured, and depart."""
    tool = waferscope.equipment(visit.equipment)
    waferscope.carrier(carrier).arrived(visit.equipment, load_port="LP1", lot=lot)
    asked = datetime.now(timezone.utc)
    time.sleep(rng.uniform(1, 20) * SCALE)
    job = waferscope.job(
        "lot-processing", lot=lot, carrier=carrier, queued_at=asked,
        equipment=visit.equipment, recipe=visit.recipe, operation=visit.operation,
    )  # fmt: skip
    for attempt in range(2):
        try:
            with job:
                tool.state("PRD")
                LOG.info("processing %s at %s", lot, visit.equipment)
                with job.step("process"):
                    process(visit, rng, first=attempt == 0)
                with job.step("measure"), ThreadPoolExecutor(2) as pool:
                    list(pool.map(waferscope.carry(measure), range(1, wafers + 1), [rng] * wafers))
                job.processed(wafers)
                break
        except VacuumError as error:
            tool.state("UDT", reason=str(error))
            LOG.warning("%s: %s, trying again", visit.equipment, error)
            job = job.retry()
    tool.state("SBY")
    waferscope.carrier(carrier).departed(visit.equipment, load_port="LP1", lot=lot)


def main() -> None:
    """Take one lot through the route."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lot", default="LOT-4714")
    parser.add_argument("--carrier", default="FOUP-0042")
    parser.add_argument("--wafers", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    waferscope.configure(service="lot-journey", version="1.0", export_logs="INFO")
    logging.basicConfig(level=logging.INFO, format="%(message)s [job %(wafer_job_name)s]")
    rng = random.Random(args.seed)  # noqa: S311 - a simulation
    for visit in ROUTE:
        visit_tool(visit, args.lot, args.carrier, args.wafers, rng)
    print(f"{args.lot}: {len(ROUTE)} operations done, one of them at the second try")


if __name__ == "__main__":
    main()
