"""Label matchers: `=`, `!=`, `=~`, `!~`, regexes by RE2 and anchored at both ends."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import re2
from numpy.typing import NDArray

from waferscope_query.promql.labels import Codes, LabelFrame, Strings


class MatchOp(enum.StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"

    @property
    def negative(self) -> bool:
        """Whether the matcher keeps what its value doesn't describe."""
        return self in (MatchOp.NOT_EQUAL, MatchOp.NOT_REGEX)


class Pattern(Protocol):
    """What is used of a compiled RE2 pattern."""

    groups: int

    def fullmatch(self, text: str) -> re2.Match | None:
        """Match the whole text."""
        ...


@lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> Pattern:
    """Compile a regex as Prometheus reads it: RE2 syntax, `.` matches newlines too.

    Raises:
        re2.error: The pattern is none.
    """
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    compiled: Pattern = re2.compile(pattern, options)
    return compiled


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; an absent label counts as the empty string."""

    name: str
    op: MatchOp
    value: str

    def matches(self, text: str) -> bool:
        """Whether a label value satisfies the matcher."""
        if self.op in (MatchOp.EQUAL, MatchOp.NOT_EQUAL):
            return (text == self.value) != self.op.negative
        return (compile_regex(self.value).fullmatch(text) is not None) != self.op.negative

    def matches_codes(self, codes: Codes, pool: Strings) -> NDArray[np.bool_]:
        """bool[n]: which of n codes satisfy the matcher; every distinct string is tested once."""
        if self.op in (MatchOp.EQUAL, MatchOp.NOT_EQUAL):
            known = pool.find(self.value)
            equal = np.zeros(len(codes), np.bool_) if known is None else codes == known
            return equal ^ self.op.negative
        distinct, inverse = np.unique(codes, return_inverse=True)
        verdicts = np.array([self.matches(pool.text(code)) for code in distinct.tolist()], np.bool_)
        return verdicts[inverse]

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.op}"{escaped}"'


def select_rows(frame: LabelFrame, matchers: Sequence[Matcher]) -> NDArray[np.bool_]:
    """bool[n]: the series that satisfy all matchers."""
    keep = np.ones(len(frame), np.bool_)
    for matcher in matchers:
        keep &= matcher.matches_codes(frame.column(matcher.name), frame.pool)
    return keep
