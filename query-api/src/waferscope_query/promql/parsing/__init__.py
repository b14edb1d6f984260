"""Stage 1, parse: text to a type-checked syntax tree with positions."""

from __future__ import annotations

from dataclasses import dataclass

from waferscope_query.promql.parsing.check import Checker
from waferscope_query.promql.parsing.grammar import Parser
from waferscope_query.promql.parsing.literals import scrub
from waferscope_query.promql.parsing.tree import Expr

__all__ = ["Query", "parse"]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed expression: its text and its tree."""

    text: str
    tree: Expr


def parse(expression: str) -> Query:
    """Parse and type-check a PromQL expression.

    Args:
        expression: The text, at most `lexer.MAX_LENGTH` characters, nested at most `tree.MAX_DEPTH` deep.

    Returns:
        The expression with its tree; every node knows which characters it was read from.

    Raises:
        ParseError: The text is no PromQL; message and position are Prometheus's.
    """
    expression = scrub(expression)
    tree = Parser(expression).parse()
    Checker(expression).check(tree)
    return Query(expression, tree)
