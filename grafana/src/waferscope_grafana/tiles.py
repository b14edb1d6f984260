"""Tiles: figures that are plain while all is well and coloured where one calls for a look."""

from collections.abc import Iterable
from dataclasses import dataclass

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizTextDisplayOptions
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueGraphMode, BigValueTextMode, VizOrientation
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColorModeId
from grafana_foundation_sdk.models.units import Short

from waferscope_grafana import palette
from waferscope_grafana.queries import Sql
from waferscope_grafana.sources import SQL


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of a row of tiles.

    Attributes:
        column: Column of the query that holds the figure, and its caption.
        thresholds: What colours the tile.
        unit: Grafana's id of the unit.
        no_value: What stands there without data.
    """

    column: str
    thresholds: ThresholdsConfig
    unit: str = Short
    no_value: str = "0"

    def overrides(self) -> list[DynamicConfigValue]:
        """Return the tile's settings as overrides of the column."""
        settings = {"unit": self.unit, "noValue": self.no_value, "thresholds": self.thresholds.build()}
        return [DynamicConfigValue(name, value) for name, value in settings.items()]


def tiles(title: str, description: str, query: Sql, figures: Iterable[Tile]) -> stat.Panel:
    """Return a row of tiles that one SQL query with one row fills."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SQL.ref())
        .with_target(query)
        .unit(Short)
        .thresholds(palette.steps(palette.NEUTRAL))  # an error must not look like success
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .text(VizTextDisplayOptions().title_size(14).value_size(32))
        .orientation(VizOrientation.VERTICAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/"))
    )
    for tile in figures:
        panel.override_by_name(tile.column, tile.overrides())
    return panel
