"""Charts: lines and stacked bars over time, and bars by category.

They leave `noValue` alone: without data Grafana says so by itself, and it would write the text at every tick that
it skips.
"""

from string import ascii_uppercase

from grafana_foundation_sdk.builders import barchart, timeseries
from grafana_foundation_sdk.builders.common import (
    StackingConfig,
    VizLegendOptions,
    VizTextDisplayOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    AxisPlacement,
    BarAlignment,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColorModeId
from grafana_foundation_sdk.models.units import Short

from waferscope_grafana import palette
from waferscope_grafana.queries import Sql
from waferscope_grafana.sources import PROMQL, SQL


def lines(title: str, description: str, unit: str, *queries: Dataquery) -> timeseries.Panel:
    """Return lines over time that PromQL queries fill; single points stay visible."""
    panel = _over_time(title, description).datasource(PROMQL.ref()).unit(unit)
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(query.ref_id(letter))
    panel.line_width(2).fill_opacity(0).show_points(VisibilityMode.AUTO)
    return panel.legend(_legend("lastNotNull", "max"))


def counts_by_status(title: str, description: str, query: Sql) -> timeseries.Panel:
    """Return stacked bars over time that an SQL query fills: a column per status, the legend with their sums.

    A bar stands after its time: the query groups by the start of an interval.
    """
    panel = _over_time(title, description).datasource(SQL.ref()).with_target(query).unit(Short).decimals(0)
    _colour_statuses(panel)
    return _stacked(panel).bar_alignment(BarAlignment.AFTER).legend(_legend("sum"))


def category_by_status(title: str, description: str, query: Sql, category: str) -> barchart.Panel:
    """Return horizontal bars that an SQL query fills.

    Args:
        title: Title of the panel.
        description: What question the panel answers.
        query: The query.
        category: The column whose values name the bars; the other columns are statuses, stacked in each bar.
    """
    panel = barchart.Panel().title(title).description(description).datasource(SQL.ref()).with_target(query)
    panel.unit(Short).decimals(0).min(0)
    panel.orientation(VizOrientation.HORIZONTAL).x_field(category).stacking(StackingMode.NORMAL)
    panel.show_value(VisibilityMode.AUTO).text(VizTextDisplayOptions().value_size(14)).fill_opacity(90).bar_width(0.8)
    _colour_statuses(
        panel, DynamicConfigValue("custom.axisPlacement", AxisPlacement.HIDDEN)
    )  # each bar wears its count
    return panel.legend(_legend()).tooltip(_tooltip())


def _over_time(title: str, description: str) -> timeseries.Panel:
    """Return what all charts over time share."""
    return timeseries.Panel().title(title).description(description).min(0).tooltip(_tooltip())


def _stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Return the panel with stacked bars instead of lines."""
    stacking = StackingConfig().mode(StackingMode.NORMAL).group("A")
    return panel.draw_style(GraphDrawStyle.BARS).fill_opacity(90).line_width(0).stacking(stacking)


def _colour_statuses(panel: barchart.Panel | timeseries.Panel, *more: DynamicConfigValue) -> None:
    """Give each column that is named like a status its colour, and what else is said."""
    for status, color in palette.STATUS.items():
        fixed = FieldColor().mode(FieldColorModeId.FIXED).fixed_color(color).build()
        panel.override_by_name(status, [DynamicConfigValue("color", fixed), *more])


def _legend(*calcs: str) -> VizLegendOptions:
    """Return a legend: with figures a table on the right, where many rows fit; else a line below."""
    legend = VizLegendOptions().show_legend(show_legend=True).calcs(list(calcs))
    if calcs:
        return legend.display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.RIGHT)
    return legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)


def _tooltip() -> VizTooltipOptions:
    """Return a tooltip with all series, the largest first."""
    return VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
