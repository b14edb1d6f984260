"""Text to tokens, with the errors of Prometheus's lexer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.parsing.literals import is_duration, is_number, quote

MAX_LENGTH = 1_000_000

AGGREGATORS = frozenset(
    {"sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "quantile"}
    | {"topk", "bottomk", "count_values", "limitk", "limit_ratio"}
)
MODIFIERS = frozenset({"offset", "by", "without", "on", "ignoring", "group_left", "group_right", "bool"})
WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})
SYMBOL_OPERATORS = frozenset({"==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "^", "@", "=~", "!~"})
NAMES_AND_KEYWORDS = AGGREGATORS | MODIFIERS | WORD_OPERATORS | {"start", "end"}

_COMMON = r"""
  (?P<space>[ \t\r\n]+) | (?P<comment>\#[^\r\n]*)
| (?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|`[^`]*`)
"""
_OUTSIDE = re.compile(
    rf"""(?:{_COMMON}
| (?P<number>(?:[0-9]|\.[0-9])(?:0?[xX])?[0-9a-zA-Z_.]*(?:(?<=[eE])[+-][0-9_]+)?(?:(?<=[pP])[+-][0-9]+)?[0-9a-zA-Z_.]*)
| (?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)
| (?P<symbol>==|!=|<=|>=|=(?!~)|[-+*/%^<>@,(){{\[\]]))""",
    re.VERBOSE,
)
_BRACES = re.compile(rf"(?:{_COMMON}| (?P<word>[a-zA-Z_][a-zA-Z0-9_]*) | (?P<symbol>=~|!~|!=|=|,|\}}))", re.VERBOSE)


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
        shown = f"{quote(self.text[:10])}..." if len(self.text) > 10 else quote(self.text)  # noqa: PLR2004, its own cut
        if self.kind in ("number", "duration", "string"):
            return f"{self.kind} {shown}"
        for kinds, form in ((MODIFIERS, "<{}>"), (AGGREGATORS, "<aggr:{}>")):
            if self.kind in kinds:
                return form.format(self.text)
        operator = self.kind in WORD_OPERATORS or self.kind in SYMBOL_OPERATORS
        return f"<op:{self.text}>" if operator else shown


class Lexer:
    """An iterator of tokens, ended by one of kind `eof`.

    Args:
        expression: The text.
    """

    def __init__(self, expression: str) -> None:
        if len(expression) > MAX_LENGTH:
            raise ParseError(expression, 0, 0, f"expression is longer than {MAX_LENGTH} characters")
        self._text = expression
        self._parens = 0
        self._in_brackets = False
        self._in_braces = False

    def __iter__(self) -> Iterator[Token]:
        position = 0
        while position < len(self._text):
            token = self._colon(position) or self._match(position)
            position = token.end
            if token.kind not in ("space", "comment"):
                self._track(token)
                yield token
        self._refuse_open_end()
        yield Token("eof", "", position, position)

    def _colon(self, position: int) -> Token | None:
        """In brackets a colon divides range and step, elsewhere it is part of a name."""
        if self._in_brackets and self._text[position] == ":":
            return Token(":", ":", position, position + 1)
        return None

    def _match(self, position: int) -> Token:
        match = (_BRACES if self._in_braces else _OUTSIDE).match(self._text, position)
        if match is None:
            raise self._bad_character(position)
        kind, text = str(match.lastgroup), match.group()
        if kind == "word":
            kind = _word_kind(text, in_braces=self._in_braces)
        elif kind == "number":
            kind = self._number_kind(text, position)
        elif kind == "symbol":
            kind = text
        return Token(kind, text, position, match.end())

    def _number_kind(self, text: str, position: int) -> str:
        if is_number(text):
            return "number"
        if is_duration(text):
            return "duration"
        raise self._error(position, f"bad number or duration syntax: {quote(text)}")

    def _track(self, token: Token) -> None:
        if token.kind == "(":
            self._parens += 1
        elif token.kind == ")":
            self._parens -= 1
            if self._parens < 0:
                raise self._error(token.start, "unexpected right parenthesis ')'")
        elif token.kind == "[":
            if self._in_brackets:
                raise self._error(token.start, "unexpected left bracket '['")
            self._in_brackets = True
        elif token.kind == "]":
            if not self._in_brackets:
                raise self._error(token.start, "unexpected right bracket ']'")
            self._in_brackets = False
        elif token.kind in ("{", "}"):
            self._in_braces = token.kind == "{"

    def _refuse_open_end(self) -> None:
        if self._in_braces:
            raise self._error(len(self._text), "unexpected end of input inside braces")
        if self._in_brackets:
            raise self._error(len(self._text), "unexpected end of input in duration expression")
        if self._parens:
            raise self._error(len(self._text), "unclosed left parenthesis")

    def _bad_character(self, position: int) -> ParseError:
        char, following = self._text[position], self._text[position + 1 : position + 2]
        inside = " inside braces" if self._in_braces else ""
        if char in "\"'":
            return self._error(position, "unterminated quoted string")
        if char == "`":
            return self._error(position, "unterminated raw string")
        if char == "!" or (char == "=" and following):
            shown = f"'{following}'" if following else "'\\uffff'"
            return self._error(position, f"unexpected character after '{char}'{inside}: {shown}")
        if char == "{":
            return self._error(position, "unexpected left brace '{'")
        return self._error(position, f"unexpected character{inside}: '{char}'")

    def _error(self, start: int, reason: str) -> ParseError:
        return ParseError(self._text, start, len(self._text), reason)


def _word_kind(text: str, *, in_braces: bool) -> str:
    if in_braces:
        return "identifier"
    if ":" in text:
        return "metric identifier"
    lower = text.lower()
    if lower in ("inf", "nan"):
        return "number"
    return lower if lower in NAMES_AND_KEYWORDS else "identifier"
