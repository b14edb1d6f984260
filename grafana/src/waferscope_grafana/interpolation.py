"""What Grafana makes of a query before it sends it: macros, intervals and the chosen values of variables.

A small part of Grafana's own rules, just what the boards use; anything else is an error rather than a guess. It lets
every query run without a Grafana, in tests and benchmarks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from waferscope_grafana.errors import InterpolationError
from waferscope_grafana.queries import ALL

ALL_CHOSEN = ("$__all",)
"""The chosen values of a variable that stands at "All"."""

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::(?P<format>\w+))?\}|(?P<bare>\w+))")
_MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")
_MAX_POINTS = 11_000
_ROUND = (
    *((1.5, 1), (3.5, 2), (7.5, 5), (12.5, 10), (17.5, 15), (25, 20), (45, 30)),
    *((90, 60), (210, 120), (450, 300), (750, 600), (1_050, 900), (1_500, 1_200), (2_700, 1_800)),
    *((5_400, 3_600), (9_000, 7_200), (16_200, 10_800), (32_400, 21_600), (86_400, 43_200)),
    *((604_800, 86_400), (1_814_400, 604_800)),
)
"""Seconds below which an interval becomes which round one: Grafana's table, from one second on."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What Grafana knows when it asks.

    Attributes:
        start: Start of the time range, with a time zone.
        end: End of the time range, with a time zone.
        choices: Chosen values by variable.
        step: Distance of the points asked for.
        scrape: The data source's scrape interval.
    """

    start: datetime
    end: datetime
    choices: Mapping[str, tuple[str, ...]]
    step: timedelta = timedelta(seconds=30)
    scrape: timedelta = timedelta(seconds=30)


def step(span: timedelta, points: int, least: timedelta) -> timedelta:
    """Return the distance of points that Grafana chooses: round, at least `least`, and never too many for Prometheus.

    Args:
        span: Length of the time range.
        points: Width of the panel in points.
        least: The panel's or the data source's shortest interval.
    """
    return max(_rounded(span / points), _rounded(span / _MAX_POINTS), least)


def promql(text: str, moment: Moment) -> str:
    """Return a PromQL query as the data source sends it.

    Raises:
        InterpolationError: An unknown variable, macro or format.
    """
    macros = {
        "__interval": _short_duration(moment.step),
        "__rate_interval": _go_duration(max(moment.step + moment.scrape, 4 * moment.scrape)),
    }
    return _replace_variables(text, moment, {"": _promql_regex, "regex": _regex}, macros)


def sql(text: str, moment: Moment) -> str:
    """Return an SQL query as the data source sends it.

    Raises:
        InterpolationError: An unknown variable, macro or format, or a variable without one: it would not be quoted.
    """
    start, end = (f"'{_rfc3339(instant)}'" for instant in (moment.start, moment.end))
    macros: dict[str, Callable[[str], str]] = {
        "__timeFilter": lambda column: f"{column} BETWEEN {start} AND {end}",
        "__timeFrom": lambda _: start,
        "__timeTo": lambda _: end,
    }

    def expand(match: re.Match[str]) -> str:
        if match[1] not in macros:
            raise InterpolationError(f"unknown macro ${match[1]}()")
        return macros[match[1]](match[2].strip())

    # Values first, as Grafana does it; macros are matched by their two underscores, which no bare variable has.
    chosen = _replace_variables(text, moment, {"regex": _regex, "sqlstring": _sqlstring}, {}, keep_macros=True)
    return _MACRO.sub(expand, chosen)


def _replace_variables(
    text: str,
    moment: Moment,
    formats: Mapping[str, Callable[[tuple[str, ...]], str]],
    built_in: Mapping[str, str],
    *,
    keep_macros: bool = False,
) -> str:
    """Return the text with each variable's value in the format that it asks for."""

    def expand(match: re.Match[str]) -> str:
        name, style = match["braced"] or match["bare"], match["format"] or ""
        if name in built_in and not style:
            return built_in[name]
        if keep_macros and match["bare"] and name.startswith("__"):
            return match[0]
        if name not in moment.choices:
            raise InterpolationError(f"unknown variable {match[0]}")
        if style not in formats:
            raise InterpolationError(f"{match[0]}: needs one of the formats {', '.join(formats)}")
        values = moment.choices[name]
        return ALL if values == ALL_CHOSEN else formats[style](values)

    return _VARIABLE.sub(expand, text)


def _alternatives(values: list[str]) -> str:
    """Return a regex for any of these regexes."""
    return values[0] if len(values) == 1 else f"({'|'.join(values)})"


def _regex(values: tuple[str, ...]) -> str:
    """Format as `${name:regex}`."""
    return _alternatives([re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", value) for value in values])


def _promql_regex(values: tuple[str, ...]) -> str:
    """Format as a Prometheus data source does without a format: for a regex in a quoted string, backslashes doubled."""
    escaped = (value.replace("\\", "\\\\\\\\") for value in values)
    return _alternatives([re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value) for value in escaped])


def _sqlstring(values: tuple[str, ...]) -> str:
    """Format as `${name:sqlstring}`."""
    return ",".join("'" + value.replace("'", "''") + "'" for value in values)


def _rounded(interval: timedelta) -> timedelta:
    """Return the round interval that Grafana takes for a raw one."""
    seconds = interval.total_seconds()
    return timedelta(seconds=next((taken for below, taken in _ROUND if seconds < below), 2_592_000))


def _short_duration(duration: timedelta) -> str:
    """Return the largest whole unit that is not larger than the duration, as `$__interval` has it."""
    for unit, length in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1))):
        if duration >= length:
            return f"{duration // length}{unit}"
    return f"{duration // timedelta(seconds=1)}s"


def _go_duration(duration: timedelta) -> str:
    """Return whole seconds as Go prints a duration: `5m30s`, `1h0m0s`, which is what `$__rate_interval` looks like."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _rfc3339(instant: datetime) -> str:
    """Return an instant as Go's RFC3339Nano in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
