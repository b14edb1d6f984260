"""Fit the overlay model of each wafer of a lot: what the scanner should correct, and what is left over.

An overlay mark tells how far two layers are apart at one place. Offset, magnification and rotation explain most of it;
their least-squares estimates go back to the scanner, the residual decides on rework. The readings here are synthetic.
With --async the wafers are read from the metrology tool while others are being fitted.
"""

import argparse
import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import waferscope

FIELD_MM = 26.0, 33.0
MARKS_PER_FIELD = 49
EXPOSED_MM = 147.0  # radius
NOISE_NM = 0.6
TERMS = ("Tx", "Ty", "Mx", "My", "Rx", "Ry")  # nm, nm, ppm, ppm, µrad, µrad
LIMIT_NM = 2.5  # three sigma of the residual


@dataclass(frozen=True, slots=True)
class Fit:
    """The correction of one wafer."""

    slot: int
    terms: NDArray[np.float64]  # in the order of TERMS
    residual_nm: float  # three sigma


def marks() -> NDArray[np.float64]:
    """Return the places of all marks, shape (n, 2), mm from the wafer's centre."""
    inside = np.linspace(-0.45, 0.45, int(MARKS_PER_FIELD**0.5))
    xs, ys = (
        np.add.outer(np.arange(-n, n + 1), inside).ravel() * size for n, size in zip((5, 4), FIELD_MM, strict=True)
    )
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    return grid[np.hypot(grid[:, 0], grid[:, 1]) < EXPOSED_MM]


def design(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the model's matrix, shape (2 n, 6): rows are the x readings, then the y readings."""
    x, y = at.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    return np.concatenate(
        (np.column_stack((one, zero, x, zero, -y, zero)), np.column_stack((zero, one, zero, y, zero, x)))
    )


def measure(slot: int, model: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the readings of one wafer in nm, shape (2 n,), in the order of the model's rows."""
    rng = np.random.default_rng((seed, slot))
    truth = np.array([3.0, -2.0, 0.05, 0.04, 0.02, -0.03]) + rng.normal(0, (0.5, 0.5, 0.01, 0.01, 0.01, 0.01))
    return model @ truth + rng.normal(0, NOISE_NM, len(model))


def fit(slot: int, model: NDArray[np.float64], readings: NDArray[np.float64]) -> Fit:
    """Fit one wafer, leaving out flyers: readings beyond four sigma of a first fit."""
    terms, *_ = np.linalg.lstsq(model, readings, rcond=None)
    residual = readings - model @ terms
    good = np.abs(residual) < 4 * residual.std()
    terms, *_ = np.linalg.lstsq(model[good], readings[good], rcond=None)
    return Fit(slot, terms, float(3 * (readings[good] - model[good] @ terms).std()))


def regress(slots: range, seed: int, job: waferscope.Job) -> list[Fit]:
    """Measure and fit one wafer after the other."""
    with job.step("design"):
        model = design(marks())
    fits = []
    with job.step("fit"):
        for slot in job.track(slots, unit="wafers"):
            fits.append(fit(slot, model, measure(slot, model, seed)))
            told(fits[-1], job)
    return fits


def told(found: Fit, job: waferscope.Job) -> None:
    """Count the wafer, record its overlay, and write to the log what is out of limits."""
    job.processed(1)
    for name, value in zip(TERMS[:2], found.terms[:2], strict=True):
        job.record(f"overlay.{name.lower()}", value, "nm")
    if found.residual_nm > LIMIT_NM:
        job.log(f"wafer {found.slot:02}: residual {found.residual_nm:.2f} nm, rework", level="warning")


async def regress_async(slots: range, seed: int, job: waferscope.Job) -> list[Fit]:
    """Measure and fit the wafers as the tool delivers them."""

    async def one(slot: int) -> Fit:
        async with tool:
            with job.step("measure", slot=slot):
                readings = await asyncio.to_thread(measure, slot, model, seed)
        with job.step("fit", slot=slot):
            result = await asyncio.to_thread(fit, slot, model, readings)
        told(result, job)
        return result

    tool = asyncio.Semaphore(2)
    model = design(marks())
    fits = []
    for wafer in asyncio.as_completed([one(slot) for slot in slots]):
        fits.append(await wafer)
        job.progress(len(fits), len(slots))
    return sorted(fits, key=lambda item: item.slot)


async def run_async(args: argparse.Namespace) -> list[Fit]:
    """Run the job in an event loop."""
    async with waferscope.job(
        "overlay-regression-async", lot=args.lot, equipment=args.equipment, recipe=args.recipe
    ) as job:
        return await regress_async(range(1, args.wafers + 1), args.seed, job)


def run(args: argparse.Namespace) -> list[Fit]:
    """Run the job."""
    with waferscope.job("overlay-regression", lot=args.lot, equipment=args.equipment, recipe=args.recipe) as job:
        return regress(range(1, args.wafers + 1), args.seed, job)


def main() -> None:
    """Fit one lot and print the mean correction and the wafers to rework."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lot", default="LOT-4711")
    parser.add_argument("--equipment", default="OVL-02")
    parser.add_argument("--recipe", default="M1-VIA1")
    parser.add_argument("--wafers", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--async", dest="asynchronous", action="store_true")
    args = parser.parse_args()

    waferscope.configure(service="overlay-metrology")
    fits = asyncio.run(run_async(args)) if args.asynchronous else run(args)
    mean = np.mean([item.terms for item in fits], axis=0)
    worst = max(item.residual_nm for item in fits)
    rework = [item.slot for item in fits if item.residual_nm > LIMIT_NM]
    print(f"{args.lot}: " + ", ".join(f"{name} {value:+.3f}" for name, value in zip(TERMS, mean, strict=True)))
    print(f"{args.lot}: residual up to {worst:.2f} nm (three sigma), rework {rework or 'none'}")


if __name__ == "__main__":
    main()
