"""Every query that a board asks: of its panels and of its variables."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """A query of a board.

    Attributes:
        asker: Title of the panel, or `$` and the name of the variable.
        ref_id: The query's name in its panel; empty for a variable.
        source: Type of the data source, `prometheus` or `postgres`.
        text: The query with Grafana's macros and variables.
        instant: PromQL for the end of the range only.
    """

    asker: str
    ref_id: str
    source: str
    text: str
    instant: bool


def board_questions(board: str) -> list[Question]:
    """Return all queries of a board given as JSON, variables first."""
    document = json.loads(board)
    return [*_of_variables(document["templating"]["list"]), *_of_panels(document["panels"])]


def all_panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield all panels, also those inside collapsed rows; not the rows."""
    for panel in panels:
        if panel["type"] == "row":
            yield from all_panels(panel["panels"])
        else:
            yield panel


def _of_variables(variables: list[dict[str, Any]]) -> Iterator[Question]:
    """Yield the queries of the variables that are filled by one."""
    for variable in variables:
        if variable["type"] == "query":
            source = variable["datasource"]["type"]
            yield Question(f"${variable['name']}", "", source, variable["query"], instant=False)


def _of_panels(panels: list[dict[str, Any]]) -> Iterator[Question]:
    """Yield the queries of the panels."""
    for panel in all_panels(panels):
        for target in panel["targets"]:
            yield Question(
                panel["title"],
                target["refId"],
                target["datasource"]["type"],
                target.get("expr") or target["rawSql"],
                instant=target.get("instant", False),
            )
