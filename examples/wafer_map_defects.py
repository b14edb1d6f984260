"""Find defect clusters on the wafer maps of a lot and tell scratches from spots.

Inspection gives the place of each defect; scattered ones are dust, crowded ones have a cause. The maps here are
synthetic: uniform background, an arc (a handling scratch) on some wafers, a spot (a chuck particle) on others.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import waferscope

RADIUS_MM = 150.0
REACH_MM = 3.0  # defects closer than this are neighbours
CROWD = 6  # neighbours that make a defect a cluster's core
SCRATCHED = {5, 10, 15, 20, 25}  # slots
SPOTTED = {3, 11, 19}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A group of crowded defects."""

    kind: str
    defects: int
    centre_mm: tuple[float, float]


def inspect(slot: int, seed: int) -> NDArray[np.float64]:
    """Return the defects of one wafer, shape (n, 2), mm from the centre."""
    rng = np.random.default_rng((seed, slot))
    radius = (RADIUS_MM - 2) * np.sqrt(rng.random(600))
    angle = rng.random(600) * 2 * np.pi
    parts = [np.column_stack((radius * np.cos(angle), radius * np.sin(angle)))]
    if slot in SCRATCHED:
        arc = np.linspace(0.2, 1.1, 160)
        parts.append(np.column_stack((90 * np.cos(arc), 90 * np.sin(arc))) + rng.normal(0, 0.4, (160, 2)))
    if slot in SPOTTED:
        parts.append(np.array([-40.0, 55.0]) + rng.normal(0, 2.0, (70, 2)))
    return np.concatenate(parts)


def cluster(defects: NDArray[np.float64]) -> NDArray[np.int64]:
    """Label each defect with its cluster, -1 for scattered ones (density-based clustering, DBSCAN)."""
    squared = ((defects[:, None, :] - defects[None, :, :]) ** 2).sum(axis=2)
    near = squared <= REACH_MM**2
    core = near.sum(axis=1) > CROWD
    labels = np.where(core, np.arange(len(defects)), len(defects))
    linked = near & core[None, :] & core[:, None]
    while True:  # each core takes the least label in its reach until nothing changes: connected components
        spread = np.where(linked, labels[None, :], len(defects)).min(axis=1)
        if np.array_equal(spread, labels):
            break
        labels = spread
    border = np.where(near & core[None, :], labels[None, :], len(defects)).min(axis=1)
    labels = np.where(core, labels, border)
    return np.where(labels == len(defects), -1, labels)


def classify(defects: NDArray[np.float64]) -> Cluster:
    """Tell a scratch from a spot by the ratio of the cluster's principal axes."""
    minor, major = np.sqrt(np.linalg.eigvalsh(np.cov(defects.T)))
    centre = defects.mean(axis=0)
    return Cluster("scratch" if major > 3 * minor else "spot", len(defects), (float(centre[0]), float(centre[1])))


def analyse(slots: range, seed: int, job: waferscope.Job) -> dict[int, list[Cluster]]:
    """Return the clusters of each wafer, by slot."""
    with job.step("inspect"):
        maps = {slot: inspect(slot, seed) for slot in slots}
    labelled = {}
    with job.step("cluster"):
        for slot in job.track(maps, unit="wafers"):
            labelled[slot] = cluster(maps[slot])
            job.processed(1)
            job.record("defects.per_wafer", len(maps[slot]), "{defect}")
    with job.step("classify"):
        return {
            slot: [classify(maps[slot][labels == label]) for label in np.unique(labels[labels >= 0])]
            for slot, labels in labelled.items()
        }


def main() -> None:
    """Analyse one lot and print the wafers that have clusters."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lot", default="LOT-4711")
    parser.add_argument("--equipment", default="INSP-01")
    parser.add_argument("--recipe", default="BF-193")
    parser.add_argument("--wafers", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    waferscope.configure(service="defect-analysis")
    with waferscope.job("wafer-map-defects", lot=args.lot, equipment=args.equipment, recipe=args.recipe) as job:
        found = analyse(range(1, args.wafers + 1), args.seed, job)
    for slot, clusters in found.items():
        for item in clusters:
            x, y = item.centre_mm
            print(f"{args.lot} wafer {slot:02}: {item.kind} of {item.defects} defects around ({x:.0f}, {y:.0f}) mm")


if __name__ == "__main__":
    main()
