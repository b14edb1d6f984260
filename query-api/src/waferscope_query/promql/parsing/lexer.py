"""Text to tokens, with the errors of Prometheus's lexer."""

from __future__ import annotations

import re

from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.parsing.literals import quote, quote_char
from waferscope_query.promql.parsing.scanning import DIGITS, NumberScan, scan_string
from waferscope_query.promql.parsing.tokens import DURATION_WORDS, FILLS, KEYWORDS, Token

MAX_LENGTH = 1_000_000

_SPACE = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"#[^\r\n]*")
_BEFORE_PARENTHESIS = re.compile(r"[ \t\r\n]*\(")
_WORD = re.compile(r"[\w.:]+")
_LABEL = re.compile(r"[\w.]+")
_LETTERS = re.compile(r"[A-Za-z_]*")
_SYMBOL = re.compile(r"==|!=|<=|</|>=|>/|=(?!~)|[-+*/%^<>@,(){\[\]]")
_BRACES_SYMBOL = re.compile(r"=~|!~|!=|=|,|\}")
_DURATION_SYMBOL = re.compile(r"[-+*/%^,():\]]")


class Lexer:
    """Reads token after token; the last one is of kind `eof`.

    Args:
        expression: The text.

    Raises:
        ParseError: It is too long.
    """

    def __init__(self, expression: str) -> None:
        if len(expression) > MAX_LENGTH:
            raise ParseError(expression, 0, 0, f"expression is longer than {MAX_LENGTH} characters")
        self._text = expression
        self._position = 0
        self._parens = 0
        self._in_braces = False
        self._in_brackets = False
        self._duration_due = False  # right behind "[" or an operator of a duration expression
        self._got_colon = False
        self._got_duration = False

    def next(self) -> Token:  # noqa: PLR0911, one return per state of Prometheus's lexer
        """Read one token.

        Raises:
            ParseError: What follows is none.
        """
        self._skip_space()
        if self._position >= len(self._text):
            return self._end()
        if self._duration_due:
            return self._duration_token()
        char = self._text[self._position]
        if char in "\"'`":
            return self._string()
        if self._in_braces:
            return self._inside_braces(char)
        if char in DIGITS or (char == "." and self._following() in DIGITS):
            return self._number()
        if _starts_name(char) or char == ":":
            return self._in_brackets_word(char) if self._in_brackets else self._word()
        match = _SYMBOL.match(self._text, self._position)
        if match is None:
            raise self._bad_character(char)
        return self._symbol(match.group())

    def _skip_space(self) -> None:
        while True:
            match = _SPACE.match(self._text, self._position)
            self._position = match.end() if match else self._position
            comment = None if self._duration_due else _COMMENT.match(self._text, self._position)
            if comment is None:
                return
            self._position = comment.end()

    def _following(self) -> str:
        return self._text[self._position + 1 : self._position + 2] or "\0"

    def _take(self, kind: str, end: int) -> Token:
        token = Token(kind, self._text[self._position : end], self._position, end)
        self._position = end
        return token

    def _end(self) -> Token:
        if self._duration_due:
            raise self._error("unexpected end of input in duration expression")
        if self._in_braces:
            raise self._error("unexpected end of input inside braces")
        if self._parens:
            raise self._error("unclosed left parenthesis")
        if self._in_brackets:
            raise self._error("unclosed left bracket")
        return Token("eof", "", self._position, self._position)

    def _string(self) -> Token:
        end, reason = scan_string(self._text, self._position)
        if reason:
            raise self._error(reason)
        return self._take("string", end)

    def _number(self) -> Token:
        scan = NumberScan(self._text, self._position)
        self._duration_due = False
        if scan.number():
            return self._take("number", scan.position)
        if scan.rest_of_duration():
            return self._take("duration", scan.position)
        raise self._error(f"bad number or duration syntax: {quote(self._text[self._position : scan.position])}")

    def _word(self) -> Token:
        end = self._end_of_word(_WORD)
        word = self._text[self._position : end]
        lower = word.lower() if word.isascii() else word
        if lower in ("inf", "nan"):
            return self._take("number", end)
        if lower in KEYWORDS and (lower not in FILLS or _BEFORE_PARENTHESIS.match(self._text, end)):
            return self._take(lower, end)
        return self._take("metric identifier" if ":" in word else "identifier", end)

    def _end_of_word(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._position)
        end = match.end() if match else self._position
        word = self._text[self._position : end]
        if word.isascii():
            return end
        strange = (i for i, char in enumerate(word) if not char.isascii() and not char.isalpha())
        return self._position + next(strange, len(word))

    def _in_brackets_word(self, char: str) -> Token:
        """Behind a duration in brackets: the colon before a step, or a word of duration expressions."""
        if char == ":":
            if self._got_colon:
                raise self._error("unexpected colon ':'")
            self._got_colon = True
            return self._take(":", self._position + 1)
        token = self._duration_word()
        if token is None:
            raise self._error(f"unexpected character: {quote_char(char)}, expected ':'")
        return token

    def _duration_word(self) -> Token | None:
        match = _LETTERS.match(self._text, self._position)
        end = match.end() if match else self._position
        word = self._text[self._position : end].lower()
        return self._take(word, end) if word in DURATION_WORDS else None

    def _duration_token(self) -> Token:
        char = self._text[self._position]
        if char in DIGITS or (char == "." and self._following() in DIGITS):
            self._got_duration = True
            return self._number()
        if token := self._duration_word():
            self._got_duration = True
            return token
        if not _DURATION_SYMBOL.match(self._text, self._position):
            raise self._error(f"unexpected character in duration expression: {quote_char(char)}")
        token = self._take(char, self._position + 1)
        if char == ":":
            self._track_colon()
        else:
            self._track(char)
        return token

    def _track_colon(self) -> None:
        if not self._got_duration:
            raise self._error("unexpected colon before duration in duration expression")
        if self._got_colon:
            raise self._error("unexpected repeated colon in duration expression")
        self._got_colon = True

    def _inside_braces(self, char: str) -> Token:
        if _starts_name(char):
            return self._take("identifier", self._end_of_word(_LABEL))
        match = _BRACES_SYMBOL.match(self._text, self._position)
        if match is None:
            raise self._bad_character_inside(char)
        self._in_braces = match.group() != "}"
        return self._take(match.group(), match.end())

    def _symbol(self, symbol: str) -> Token:
        if symbol == "[" and self._in_brackets:
            raise self._error("unexpected left bracket '['")
        if symbol == "]" and not self._in_brackets:
            raise self._error("unexpected right bracket ']'")
        token = self._take(symbol, self._position + len(symbol))
        self._track(symbol)
        return token

    def _track(self, symbol: str) -> None:
        if symbol == "(":
            self._parens += 1
        elif symbol == ")":
            self._parens -= 1
            if self._parens < 0:
                raise self._error("unexpected right parenthesis ')'")
        elif symbol == "[":
            self._in_brackets = self._duration_due = True
            self._got_colon = self._got_duration = False
        elif symbol == "]":
            self._in_brackets = self._duration_due = False
        elif symbol == "{":
            self._in_braces = True

    def _bad_character(self, char: str) -> ParseError:
        if char in "!=":
            following = self._text[self._position + 1 : self._position + 2] or "\ufffd"
            return self._error(f"unexpected character after '{char}': {quote_char(following)}")
        return self._error(f"unexpected character: {quote_char(char)}")

    def _bad_character_inside(self, char: str) -> ParseError:
        if char == "!":
            following = self._text[self._position + 1 : self._position + 2] or "\ufffd"
            return self._error(f"unexpected character after '!' inside braces: {quote_char(following)}")
        if char == "{":
            return self._error("unexpected left brace '{'")
        return self._error(f"unexpected character inside braces: {quote_char(char)}")

    def _error(self, reason: str) -> ParseError:
        return ParseError(self._text, self._position, len(self._text), reason)


def _starts_name(char: str) -> bool:
    return char.isalpha() or char == "_"


def is_plain_name(text: str) -> bool:
    """Whether a label name can be written without quotes."""
    if not text or not _starts_name(text[0]):
        return False
    return all(_starts_name(char) or char in DIGITS or char == "." for char in text)
