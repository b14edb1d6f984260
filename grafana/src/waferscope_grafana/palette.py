"""Colours and value mappings: the same status looks the same on every board.

The hues are those of Okabe and Ito ("Color Universal Design", 2008), told apart with any common colour blindness and
readable on Grafana's dark and light theme; status is always written beside its colour as well.
"""

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode, ValueMap, ValueMappingResult

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8E8E8E"
NEUTRAL = "transparent"

STATUS = {
    "running": SKY,
    "stale": ORANGE,
    "lost": PURPLE,
    "unreachable": GREY,
    "succeeded": GREEN,
    "failed": VERMILLION,
    "canceled": YELLOW,
    "skipped": BLUE,
}
"""Colour by the status of `wafer.jobs`."""


def status_mapping() -> ValueMap:
    """Return the mapping that colours a column of statuses."""
    return ValueMap(
        options={
            status: ValueMappingResult(text=status, color=color, index=index)
            for index, (status, color) in enumerate(STATUS.items())
        }
    )


def steps(base: str, *above: tuple[float, str]) -> ThresholdsConfig:
    """Return absolute thresholds.

    Args:
        base: Colour below the first step.
        above: Lower bound and colour of each step, ascending.
    """
    thresholds = [Threshold(value=None, color=base), *(Threshold(value=at, color=color) for at, color in above)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)
