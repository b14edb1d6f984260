"""Parameters of the Prometheus API, read and refused as Prometheus does (web/api/v1/api.go)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from starlette.requests import Request

from waferscope_query.http.errors import ParameterError
from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import VectorSelector

_FORM = "application/x-www-form-urlencoded"
_MAX_FORM_BYTES = 1 << 20
_USE_STARTS = "X-Prometheus-Use-Start-Timestamps"
_BOOLEANS = {  # as Go reads them
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
_MAX_FIELDS = 10_000
_MAX_MS = 1 << 60  # leaves room for offsets and ranges in 64 bits
_MAX_NS = (1 << 63) - 1

_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?",
    re.ASCII,
)
_UNITS_MS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The ends of time as Prometheus writes them; its own clients send them back.
_ENDS = {"-292273086-05-16T16:47:06Z": -_MAX_MS, "292277025-08-18T07:12:54.999999999Z": _MAX_MS}

MIN_MS, MAX_MS = -_MAX_MS, _MAX_MS
"""What `start` and `end` are where a request may leave them out."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a request says.

    Attributes:
        fields: Those of its path, its form, its query string, in this order.
        use_starts: The header that asks for start timestamps, or for none.
    """

    fields: Sequence[tuple[str, str]]
    use_starts: str = ""

    def first(self, name: str) -> str:
        """The first value of a field; empty where there is none."""
        return next((value for field, value in self.fields if field == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for field, value in self.fields if field == name]

    def flag(self, name: str) -> bool:
        """Whether a field of ours says yes."""
        return self.first(name) in ("1", "true")

    def time(self, name: str, default: int) -> int:
        """A time in milliseconds, or a default where the field is empty."""
        text = self.first(name)
        if not text:
            return default
        try:
            return parse_time(text)
        except ValueError as error:
            raise ParameterError.named(name, f"invalid time value for '{name}': {error}") from None

    def required_time(self, name: str) -> int:
        """A time in milliseconds."""
        return self._parsed(name, parse_time)

    def duration(self, name: str) -> int:
        """A duration in milliseconds."""
        return self._parsed(name, parse_duration)

    def limit(self, name: str = "limit") -> int:
        """A number of results at most; 0 means all."""
        return self._parsed(name, _parse_limit) if self.first(name) else 0

    def uses_starts(self, *, default: bool) -> bool:
        """Whether functions of counters are to look at start timestamps."""
        if not self.use_starts:
            return default
        if self.use_starts not in _BOOLEANS:
            reason = f"strconv.ParseBool: parsing {quote(self.use_starts)}: invalid syntax"
            raise ParameterError(f"error parsing {_USE_STARTS} header: {reason}")
        return _BOOLEANS[self.use_starts]

    def _parsed(self, name: str, parse: Callable[[str], int]) -> int:
        try:
            return parse(self.first(name))
        except ValueError as error:
            raise ParameterError.named(name, error) from None


async def read_parameters(request: Request) -> Parameters:
    """Read a request's parameters.

    Raises:
        ParameterError: The form is too large.
    """
    form = b""
    if request.method == "POST" and request.headers.get("content-type", "").startswith(_FORM):
        async for chunk in request.stream():
            form += chunk
            if len(form) > _MAX_FORM_BYTES:
                raise ParameterError("error parsing form values: http: POST too large")
    try:
        fields = [*request.path_params.items(), *_fields(form), *_fields(request.scope["query_string"])]
        return Parameters(fields, request.headers.get(_USE_STARTS, ""))
    except ValueError as error:  # too many fields
        raise ParameterError(f"error parsing form values: {error}") from None


def matcher_sets(parameters: Parameters) -> list[tuple[Matcher, ...]]:
    """Read the selectors `match[]`.

    Raises:
        ParameterError: One is no plain selector.
        ParseError: One is no expression.
    """
    return [_matchers(text) for text in parameters.all("match[]")]


def _matchers(text: str) -> tuple[Matcher, ...]:
    tree = parse(text).tree
    if not isinstance(tree, VectorSelector) or tree.offset_ms or tree.at is not None:
        raise ParameterError.named("match[]", "1:1: parse error: a plain series selector is expected")
    return tree.matchers


def _fields(encoded: bytes) -> list[tuple[str, str]]:
    return parse_qsl(
        encoded.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS
    )


def parse_time(text: str) -> int:
    """Read a Unix time in seconds or an RFC 3339 time.

    Returns:
        Milliseconds since the epoch; times beyond 36 million years are held at that.

    Raises:
        ValueError: With Prometheus's message.
    """
    if _FLOAT.fullmatch(text):
        seconds = float(text)
        limit = _MAX_MS / 1000
        whole = int(max(-limit, min(seconds, limit)))
        return whole * 1000 + (round((seconds - whole) * 1000) if abs(seconds) < limit else 0)
    if text in _ENDS:
        return _ENDS[text]
    match = _RFC3339.fullmatch(text)
    try:
        if match:
            moment = datetime.fromisoformat(match[1] + match[3])
            return (moment - _EPOCH) // timedelta(milliseconds=1) + int((match[2] or "0").ljust(3, "0")[:3])
    except (ValueError, OverflowError):
        pass  # a month 13: told below as what it is, no time
    raise ValueError(f"cannot parse {_quote(text)} to a valid timestamp")


def parse_duration(text: str) -> int:
    """Read a number of seconds or a duration such as `1h30m`.

    Returns:
        Milliseconds.

    Raises:
        ValueError: With Prometheus's message.
    """
    if _FLOAT.fullmatch(text):
        seconds = float(text)
        if abs(seconds) * 1e9 > _MAX_NS:
            raise ValueError(f"cannot parse {_quote(text)} to a valid duration. It overflows int64")
        return int(seconds * 1000)
    match = _DURATION.fullmatch(text)
    if text and match:
        ms = sum(int(number) * unit for number, unit in zip(match.groups("0"), _UNITS_MS, strict=True))
        if ms * 1_000_000 <= _MAX_NS:
            return ms
    raise ValueError(f"cannot parse {_quote(text)} to a valid duration")


def _parse_limit(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
        raise ValueError(f"strconv.Atoi: parsing {_quote(text)}: invalid syntax")
    limit = int(text)
    if limit < 0:
        raise ValueError("limit must be non-negative")
    return limit


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
