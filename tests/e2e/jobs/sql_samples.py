"""A day of a fab in a second, for the SQL of docs/sql.md: overlay of lots on two tools, a failure, an outlier."""

import logging
import time

import waferscope

LOG = logging.getLogger("overlay")
LOTS = [f"LOT-{number}" for number in range(100, 112)]
TOOLS = ("OVL-01", "OVL-02")


def main() -> None:
    waferscope.configure(service="overlay", version="2.7.1", export_logs="INFO")
    logging.basicConfig(level=logging.INFO)
    for number, lot in enumerate(LOTS):
        for tool, offset in zip(TOOLS, (1.0, 3.0), strict=True):
            measure(lot, tool, offset + number / 10, slow=(number, tool) == (5, "OVL-02"))
    waferscope.deployment("2.7.1")
    try:
        with waferscope.job("overlay", lot="LOT-112", equipment="OVL-02", recipe="M2-VIA2") as job:
            with job.step("load"):
                LOG.info("loading marks")
            with job.step("fit"):
                fit([])
    except ValueError:
        LOG.warning("left out")


def fit(marks: list[float]) -> float:
    """Fit the overlay.

    Raises:
        ValueError: There are no marks.
    """
    if not marks:
        raise ValueError("no marks in field 7")
    return sum(marks) / len(marks)


def measure(lot: str, tool: str, overlay_nm: float, *, slow: bool) -> None:
    """Measure a lot's overlay in two steps."""
    with waferscope.job("overlay", lot=lot, equipment=tool, recipe="M1-VIA1", operation="OVERLAY-M1") as job:
        with job.step("load"):
            time.sleep(0.005)
        with job.step("fit"):
            time.sleep(1 if slow else 0.01)
        job.log("overlay fitted", overlay_x_nm=overlay_nm)


if __name__ == "__main__":
    main()
