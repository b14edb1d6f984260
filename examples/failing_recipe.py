"""Look for the process window of a lithography recipe, and fail where it has none.

A focus-exposure matrix gives the line width over focus and dose. The window is where the width stays within ten per
cent of its target; a recipe without one must not go to production, so the job raises. With the default target it fails.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import waferscope

FOCUS_UM = np.linspace(-0.12, 0.12, 13)
DOSE = np.linspace(0.85, 1.15, 13)  # relative to nominal
NOMINAL_NM = 45.0
TOLERANCE = 0.10
NEEDED_UM = 0.08  # depth of focus


class NoProcessWindowError(Exception):
    """The recipe has too little depth of focus at its best dose."""


@dataclass(frozen=True, slots=True)
class Window:
    """The best dose and the focus range that it allows."""

    dose: float
    depth_um: float


def expose(seed: int) -> NDArray[np.float64]:
    """Return the measured line widths in nm, shape (sites, focus, dose)."""
    rng = np.random.default_rng(seed)
    focus, dose = np.meshgrid(FOCUS_UM, DOSE, indexing="ij")
    width = NOMINAL_NM * (1 - 0.9 * np.log(dose) + 22 * focus**2)
    return width + rng.normal(0, 0.4, (400, *width.shape))


def surface(widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the Bossung surface (quadratic in focus, linear in log dose) and return it on a fine grid, (focus, dose)."""

    def terms(focus: NDArray[np.float64], dose: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack((np.ones_like(focus), focus, focus**2, np.log(dose), focus**2 * np.log(dose)))

    focus, dose = (axis.ravel() for axis in np.meshgrid(FOCUS_UM, DOSE, indexing="ij"))
    model = np.tile(terms(focus, dose), (len(widths), 1))
    coefficients, *_ = np.linalg.lstsq(model, widths.ravel(), rcond=None)
    fine = np.meshgrid(np.linspace(-0.12, 0.12, 241), np.linspace(0.85, 1.15, 301), indexing="ij")
    return (terms(fine[0].ravel(), fine[1].ravel()) @ coefficients).reshape(241, 301)


def window(fitted: NDArray[np.float64], target_nm: float) -> Window:
    """Return the dose with the largest depth of focus.

    Raises:
        NoProcessWindowError: No dose allows the depth of focus that production needs.
    """
    inside = np.abs(fitted - target_nm) <= TOLERANCE * target_nm
    depth = inside.sum(axis=0) * 0.001
    best = int(depth.argmax())
    if depth[best] < NEEDED_UM:
        raise NoProcessWindowError(f"{depth[best]:.3f} µm depth of focus at {target_nm} nm, {NEEDED_UM} µm needed")
    return Window(float(np.linspace(0.85, 1.15, 301)[best]), float(depth[best]))


def main() -> None:
    """Print the window, or fail as the job does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lot", default="LOT-4712")
    parser.add_argument("--equipment", default="SCAN-03")
    parser.add_argument("--recipe", default="M1-TRIAL")
    parser.add_argument("--target", type=float, default=36.0, help="line width in nm; 45 has a window")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    waferscope.configure(service="recipe-optimisation")
    with waferscope.job("recipe-window", lot=args.lot, equipment=args.equipment, recipe=args.recipe) as job:
        with job.step("expose"):
            widths = expose(args.seed)
        with job.step("fit"):
            fitted = surface(widths)
        with job.step("window"):
            found = window(fitted, args.target)
    print(f"{args.recipe}: dose {found.dose:.3f}, depth of focus {found.depth_um * 1000:.0f} nm at {args.target:g} nm")


if __name__ == "__main__":
    main()
