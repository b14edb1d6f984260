"""Tokens and the words of the language."""

from __future__ import annotations

from dataclasses import dataclass

from waferscope_query.promql.parsing.literals import quote

AGGREGATORS = frozenset(
    {"sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "quantile"}
    | {"topk", "bottomk", "count_values", "limitk", "limit_ratio"}
)
FILLS = frozenset({"fill", "fill_left", "fill_right"})
MODIFIERS = FILLS | {"offset", "by", "without", "on", "ignoring", "group_left", "group_right", "bool"}
MODIFIERS |= {"smoothed", "anchored"}
WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})
SYMBOL_OPERATORS = frozenset(
    {"==", "!=", "<=", ">=", "<", ">", "</", ">/", "+", "-", "*", "/", "%", "^", "@", "=~", "!~"}
)
DURATION_WORDS = frozenset({"step", "range", "max_of", "min_of"})
KEYWORDS = AGGREGATORS | MODIFIERS | WORD_OPERATORS | DURATION_WORDS | {"start", "end"}
_NO_METRIC_NAMES = frozenset({"on", "ignoring", "group_left", "group_right", "bool", "atan2"})
METRIC_NAMES = KEYWORDS - _NO_METRIC_NAMES | {"identifier", "metric identifier"}
OPERANDS = frozenset({"number", "duration", "string", "(", "{", "+", "-", *METRIC_NAMES})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the expression.

    Attributes:
        kind: `identifier`, `metric identifier`, `number`, `duration`, `string`, `eof`, or the keyword or symbol itself.
        text: As written.
        start: First character.
        end: One past the last.
    """

    kind: str
    text: str
    start: int
    end: int

    def describe(self) -> str:
        """The token as Prometheus's messages call it."""
        if self.kind == "eof":
            return "end of input"
        if self.kind in ("identifier", "metric identifier"):
            return f"{self.kind} {quote(self.text)}"
        long = len(self.text.encode()) > 10  # noqa: PLR2004, its own cut
        shown = f"{quote(self.text[:10])}..." if long else quote(self.text)
        if self.kind in ("number", "duration", "string"):
            return f"{self.kind} {shown}"
        for kinds, form in ((MODIFIERS, "<{}>"), (AGGREGATORS, "<aggr:{}>")):
            if self.kind in kinds:
                return form.format(self.text)
        operator = self.kind in WORD_OPERATORS or self.kind in SYMBOL_OPERATORS
        return f"<op:{self.text}>" if operator else shown
