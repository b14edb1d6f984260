"""Queries of panels: PromQL as the SDK has it, SQL which it lacks, and the selection that every board shares."""

from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as Query

from waferscope_grafana.sources import PROMQL, SQL
from waferscope_schemas import queries

ALL = ".*"
"""What the choice "All" of a variable stands for, in PromQL and in SQL."""

_TEXTS = queries.load("waferscope_grafana")
_COLUMNS = {"site": "site", "application": "service", "equipment": "equipment"}
_LABELS = {"site": "wafer_site_id", "application": "job", "equipment": "wafer_equipment_id"}


def promql(expr: str, *, legend: str = "", instant: bool = False) -> Dataquery:
    """Return a PromQL query over the board's time range, or at its end.

    Args:
        expr: The expression; `selected_series` gives the matchers of the board's variables.
        legend: Name of each series, `{{label}}` standing for a label's value.
        instant: Ask for the values at the end of the range only.
    """
    query = Dataquery().ref_id("A").datasource(PROMQL.ref()).expr(expr).legend_format(legend)
    return query.instant() if instant else query.range()


def selected_series(*variables: str) -> str:
    """Return matchers for the chosen values of the named variables.

    The bare `$variable` is deliberate: only without a format does Grafana escape a value for a regex inside a string.
    """
    return ", ".join(f'{_LABELS[variable]}=~"${variable}"' for variable in variables)


def selected_runs(*variables: str) -> str:
    r"""Return an SQL condition on `wafer.jobs` for the chosen values of the named variables.

    Grafana escapes each value for a regex, which leaves no `$` bare, so no value can close the dollar quotes. With
    "All" the first half is a constant truth that the planner drops, and a run without equipment counts too.
    """
    return " and ".join(
        f"($$${{{variable}:regex}}$$ = '{ALL}' "
        rf"or coalesce({_COLUMNS[variable]}, '') ~ $$\A(?:${{{variable}:regex}})\Z$$)"
        for variable in variables
    )


@dataclass(frozen=True, slots=True)
class SqlQuery(Query):
    """A query of Grafana's PostgreSQL data source.

    Attributes:
        text: The SQL, with Grafana's macros and variables.
        format: `table`: columns as they are; `time_series`: the column `time` and one series per other column.
        ref_id: Name of the query in its panel.
    """

    text: str
    format: Literal["table", "time_series"]
    ref_id: str = "A"

    def to_json(self) -> dict[str, object]:
        """Return the query as Grafana stores it."""
        return {
            "datasource": SQL.ref(),
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.text,
            "refId": self.ref_id,
        }


@dataclass(frozen=True, slots=True)
class Sql(Builder[SqlQuery]):
    """Builder of an SqlQuery, for the SDK's panels."""

    query: SqlQuery

    def build(self) -> SqlQuery:
        """Return the query."""
        return self.query


def sql_text(name: str, *selection: str) -> str:
    """Return a named query of this package's `sql/` folder.

    Args:
        name: The query's name.
        selection: The variables whose choice takes the place of `{selection}` in the query.
    """
    return _TEXTS[name].replace("{selection}", selected_runs(*selection))


def sql(name: str, *selection: str, time_series: bool = False) -> Sql:
    """Return a panel's query from this package's `sql/` folder.

    Args:
        name: The query's name.
        selection: As of `sql_text`.
        time_series: The answer is one series per column, over the column `time`; otherwise a table.
    """
    return Sql(SqlQuery(text=sql_text(name, *selection), format="time_series" if time_series else "table"))
