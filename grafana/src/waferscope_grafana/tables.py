"""Tables and what their columns look like.

Grafana names a cell's type in `cellOptions`, up to 9.4 in `displayMode`; each ignores the other's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    TableBarGaugeCellOptions,
    TableCellBackgroundDisplayMode,
    TableCellDisplayMode,
    TableColoredBackgroundCellOptions,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColorModeId
from grafana_foundation_sdk.models.units import PercentUnit

from waferscope_grafana import palette
from waferscope_grafana.queries import Sql
from waferscope_grafana.sources import SQL


@dataclass(frozen=True, slots=True)
class Column:
    """How a table shows one column.

    Attributes:
        name: The column in the query's answer.
        unit: Grafana's id of the unit; empty for text.
        width: In pixels; 0 shares what is left.
        settings: Further field settings by Grafana's name.
    """

    name: str
    unit: str = ""
    width: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)

    def overrides(self) -> list[DynamicConfigValue]:
        """Return what is set as overrides of the column."""
        settings = {"unit": self.unit or None, "custom.width": self.width or None, **self.settings}
        return [DynamicConfigValue(name, value) for name, value in settings.items() if value is not None]


def status_column(name: str) -> Column:
    """Return a column of statuses, each on its colour."""
    solid = TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
    return Column(
        name,
        width=110,
        settings={
            "mappings": [palette.status_mapping()],
            "custom.cellOptions": solid,
            "custom.displayMode": TableCellDisplayMode.COLOR_BACKGROUND_SOLID,
        },
    )


def progress_column(name: str) -> Column:
    """Return a column of ratios from 0 to 1, drawn as bars."""
    return Column(
        name,
        unit=PercentUnit,
        width=150,
        settings={
            "min": 0,
            "max": 1,
            "decimals": 0,
            "color": FieldColor().mode(FieldColorModeId.FIXED).fixed_color(palette.SKY).build(),
            "custom.cellOptions": TableBarGaugeCellOptions(mode=BarGaugeDisplayMode.BASIC),
            "custom.displayMode": TableCellDisplayMode.BASIC_GAUGE,
        },
    )


def sql_table(title: str, description: str, query: Sql, columns: Iterable[Column], *, no_rows: str) -> table.Panel:
    """Return a table that an SQL query fills.

    Args:
        title: Title of the panel.
        description: What question the panel answers.
        query: The query.
        columns: Columns that need more than plain text.
        no_rows: What stands there when the answer has no rows.
    """
    panel = (
        table.Panel().title(title).description(description).datasource(SQL.ref()).with_target(query).no_value(no_rows)
    )
    for column in columns:
        panel.override_by_name(column.name, column.overrides())
    return panel
