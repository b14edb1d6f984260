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
        self._times: dict[str, int] = {}

    def warn(self, text: str, start: int) -> None:
        """Note that the answer may be wrong, because of what stands at a character of the expression."""
        self._warnings[f"PromQL warning: {text}"] = start

    def warn_of_times(self, text: str, start: int, times: int) -> None:
        """Note a warning whose occurrences are counted, at the first place that says so."""
        self._warnings.setdefault(f"PromQL warning: {text}", start)
        self._times[f"PromQL warning: {text}"] = self._times.get(f"PromQL warning: {text}", 0) + times

    def inform(self, text: str, start: int) -> None:
        """Note that the query may not mean what it says at a character of the expression."""
        self._infos[f"PromQL info: {text}"] = start

    def _placed(self, notes: dict[str, int]) -> tuple[str, ...]:
        return tuple(
            f"{text}{self._occurrences(text)} ({line_and_column(self._expression, start)})"
            for text, start in notes.items()
        )

    def _occurrences(self, text: str) -> str:
        times = self._times.get(text, 1)
        return f" ({times} occurrences)" if times > 1 else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, in order of appearance."""
        return self._placed(self._warnings)

    @property
    def infos(self) -> tuple[str, ...]:
        """The infos, in order of appearance."""
        return self._placed(self._infos)
