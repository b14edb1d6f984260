"""Annotations of an answer: warnings and infos, worded as Prometheus words them."""

from __future__ import annotations

from waferscope_query.promql.errors import line_and_column


class Notes:
    """Collects each annotation once, at the last place that says so.

    Args:
        expression: The text, for positions.
    """

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._warnings: dict[str, int] = {}
        self._infos: dict[str, int] = {}

    def warn(self, text: str, start: int) -> None:
        """Note that the answer may be wrong, because of what stands at a character of the expression."""
        self._warnings[f"PromQL warning: {text}"] = start

    def inform(self, text: str, start: int) -> None:
        """Note that the query may not mean what it says at a character of the expression."""
        self._infos[f"PromQL info: {text}"] = start

    def _placed(self, notes: dict[str, int]) -> tuple[str, ...]:
        return tuple(f"{text} ({line_and_column(self._expression, start)})" for text, start in notes.items())

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, in order of appearance."""
        return self._placed(self._warnings)

    @property
    def infos(self) -> tuple[str, ...]:
        """The infos, in order of appearance."""
        return self._placed(self._infos)
