"""One token of lookahead over the lexer, and the errors a parser raises there."""

from __future__ import annotations

from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.parsing.lexer import Lexer, Token
from waferscope_query.promql.parsing.literals import read_duration_ms, read_number, read_string


class Cursor:
    """Walks the tokens of an expression.

    Args:
        expression: The text.
    """

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._tokens = iter(Lexer(expression))
        self.token = next(self._tokens)
        self.last_end = 0

    def advance(self) -> Token:
        """Consume and return the current token."""
        consumed = self.token
        self.last_end = consumed.end
        if consumed.kind != "eof":
            self.token = next(self._tokens)
        return consumed

    def at(self, *kinds: str) -> bool:
        """Whether the current token is of one of these kinds."""
        return self.token.kind in kinds

    def accept(self, *kinds: str) -> Token | None:
        """Consume the current token if it is of one of these kinds."""
        return self.advance() if self.token.kind in kinds else None

    def expect(self, kind: str, context: str = "", expected: str = "") -> Token:
        """Consume a token of this kind.

        Raises:
            ParseError: The current token is another.
        """
        if self.token.kind != kind:
            raise self.unexpected(context, expected)
        return self.advance()

    def unexpected(self, context: str = "", expected: str = "") -> ParseError:
        """The error about the current token."""
        reason = f"unexpected {self.token.describe()}"
        reason += f" in {context}" if context else ""
        reason += f", expected {expected}" if expected else ""
        return ParseError(self.expression, self.token.start, self.token.end, reason)

    def error(self, start: int, end: int, reason: str) -> ParseError:
        """An error about a stretch of the expression."""
        return ParseError(self.expression, start, end, reason)

    def number(self, token: Token) -> float:
        """The value of a number or duration token; a duration counts in seconds."""
        if token.kind == "number":
            return read_number(token.text)
        try:
            return read_duration_ms(token.text) / 1000
        except ValueError as error:
            raise self.error(token.start, token.end, str(error)) from None

    def string(self, token: Token) -> str:
        """The value of a string token."""
        try:
            return read_string(token.text)
        except ValueError as error:
            reason = f"error unquoting string {token.text}: {error}"
            raise self.error(token.start, token.end, reason) from None
