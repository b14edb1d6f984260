"""One token of lookahead over the lexer, and the errors a parser raises there."""

from __future__ import annotations

from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.parsing.lexer import Lexer
from waferscope_query.promql.parsing.literals import quote, read_duration_ms, read_number, read_string
from waferscope_query.promql.parsing.tokens import Token
from waferscope_query.promql.parsing.tree import MAX_DEPTH


class Cursor:
    """Walks the tokens of an expression; a token is read when it is first looked at, so that errors keep their order.

    Args:
        expression: The text.
    """

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._lexer = Lexer(expression)
        self._token: Token | None = None
        self._contexts: list[tuple[str, str]] = [("", "")]
        self.last_end = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        """The current token."""
        if self._token is None:
            self._token = self._lexer.next()
        return self._token

    def advance(self) -> Token:
        """Consume and return the current token."""
        consumed = self.token
        self.last_end = consumed.end
        if consumed.kind != "eof":
            self._token = None
        return consumed

    def at(self, *kinds: str) -> bool:
        """Whether the current token is of one of these kinds."""
        return self.token.kind in kinds

    def accept(self, *kinds: str) -> Token | None:
        """Consume the current token if it is of one of these kinds."""
        return self.advance() if self.token.kind in kinds else None

    def expect(self, *kinds: str) -> Token:
        """Consume a token of one of these kinds.

        Raises:
            ParseError: The current token is another.
        """
        if self.token.kind not in kinds:
            raise self.unexpected()
        return self.advance()

    def within(self, context: str, expected: str = "") -> None:
        """From here on until `left`, errors say what was being read and what was expected."""
        self._contexts.append((context, expected))

    def now(self, context: str, expected: str = "") -> None:
        """Replace what `within` said."""
        self._contexts[-1] = (context, expected)

    def left(self) -> None:
        """Return to what errors said before `within`."""
        self._contexts.pop()

    def deepen(self) -> None:
        """Note one more level of nesting.

        Raises:
            ParseError: There are too many.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(self.token.start, self.token.end, f"expression is nested more than {MAX_DEPTH} deep")

    def unexpected(self) -> ParseError:
        """The error about the current token."""
        context, expected = self._contexts[-1]
        reason = f"unexpected {self.token.describe()}"
        reason += f" in {context}" if context else ""
        reason += f", expected {expected}" if expected else ""
        return ParseError(self.expression, self.token.start, self.token.end, reason)

    def error(self, start: int, end: int, reason: str) -> ParseError:
        """An error about a stretch of the expression."""
        return ParseError(self.expression, start, end, reason)

    def number(self, token: Token) -> float:
        """The value of a number or duration token; a duration counts in seconds."""
        try:
            return read_number(token.text) if token.kind == "number" else read_duration_ms(token.text) / 1000
        except ValueError as error:
            reason = f"error parsing number: {error}" if token.kind == "number" else str(error)
            raise self.error(token.start, token.end, reason) from None

    def string(self, token: Token) -> str:
        """The value of a string token."""
        try:
            return read_string(token.text)
        except ValueError as error:
            reason = f"error unquoting string {quote(token.text)}: {error}"
            raise self.error(token.start, token.end, reason) from None
