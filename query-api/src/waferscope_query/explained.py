"""How a query is answered, for a terminal."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from waferscope_query.tables import table

_LONGEST = 60  # characters of an expression in a row
_UNITS = ("B", "KiB", "MiB", "GiB")
_KIBI = 1024


def text(answer: Mapping[str, Any]) -> str:
    """Show the answer of `/api/v1/explain`."""
    data = answer["data"]
    traced = "totals" in data
    notes = [f"{kind}: {note}" for kind in ("warnings", "infos") for note in answer.get(kind, ())]
    return "\n".join(
        [
            data["query"],
            _steps(data),
            "",
            _tree(data, traced=traced),
            *(["", _selections(data, traced=traced)] if data["selections"] else []),
            *(["", _rollups(data)] if data["rollups"] else []),
            "",
            " · ".join(f"{name} {took:.1f} ms" for name, took in data["stages"].items()),
            *(_totals(data["totals"]) if traced else []),
            *notes,
        ]
    )


def _steps(data: Mapping[str, Any]) -> str:
    if "step" not in data:
        return f"at {_time(data['start'])}"
    return f"{data['steps']:,} steps of {data['step']:g} s, {_time(data['start'])} to {_time(data['end'])}"


def _tree(data: Mapping[str, Any], *, traced: bool) -> str:
    took = ("SERIES", "VALUES", "OWN MS", "TOTAL MS") if traced else ()
    rows = [
        (
            _shortened(f"{lead}{node['what']}") + (f"  #{node['selection']}" if "selection" in node else ""),
            *([f"{node['series']:,}", f"{node['values']:,}"] if traced else []),
            *([f"{node['ownMilliseconds']:.2f}", f"{node['milliseconds']:.2f}"] if traced else []),
        )
        for lead, node in _nodes(data["plan"], "", "")
    ]
    return table(("NODE", *took), rows)


def _nodes(node: Mapping[str, Any], lead: str, below: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give nodes in the order of reading, each with the lines that lead to it."""
    yield lead, node
    children = node.get("children", ())
    for number, child in enumerate(children, 1):
        last = number == len(children)
        yield from _nodes(child, f"{below}{'└ ' if last else '├ '}", f"{below}{'  ' if last else '│ '}")


def _selections(data: Mapping[str, Any], *, traced: bool) -> str:
    head = ["#", "SELECTION", "FROM", "TO", "SERIES", "SAMPLES"]
    if traced:
        head[4:] = ["SERIES (EXPECTED)", "SAMPLES (EXPECTED)", "FROM MEMORY", "FROM DATABASE", "MS"]
    return table(head, [_selection(number, one, traced=traced) for number, one in enumerate(data["selections"])])


def _selection(number: int, one: Mapping[str, Any], *, traced: bool) -> list[str]:
    matchers = _shortened(f"{{{', '.join(one['matchers'])}}}")
    row = [str(number), matchers, _time(one["start"]), _time(one["end"])]
    if not traced:
        return [*row, f"{one['seriesExpected']:,}", f"about {one['samplesExpected']:,}"]
    return [
        *row,
        f"{one['series']:,} ({one['seriesExpected']:,})",
        f"{one['samples']:,} ({one['samplesExpected']:,})",
        *(f"{one[place]['samples']:,} ({_size(one[place]['bytes'])})" for place in ("memory", "database")),
        f"{one['milliseconds']:.2f}",
    ]


def _rollups(data: Mapping[str, Any]) -> str:
    rows = [
        (
            _shortened(f"{{{', '.join(one['matchers'])}}}"),
            f"{one['bucket'] / 60:g} min",
            *(_time(one[end]) for end in ("start", "end")),
            f"{one['database']['rows']:,} ({_size(one['database']['bytes'])})" if "database" in one else "",
        )
        for one in data["rollups"]
    ]
    return table(("ROLLUPS", "BUCKETS", "FROM", "TO", "ROWS"), rows)


def _totals(totals: Mapping[str, Any]) -> list[str]:
    parts = (
        f"total {totals['milliseconds']:.1f} ms",
        f"{totals['seriesTouched']:,} series",
        f"{totals['samplesQueryable']:,} samples consumed by the steps",
        f"memory {_size(totals['peakBytes'])}",
        f"answer {_size(totals['answerBytes'])}",
    )
    database = f"{totals['samplesFromDatabase']:,} from the database ({_size(totals['bytesFromDatabase'])})"
    return [" · ".join(parts), f"read {totals['samplesFromMemory']:,} samples from memory, {database}"]


def _shortened(line: str) -> str:
    line = " ".join(line.split("\n"))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # beyond any calendar
        return f"{seconds:g}"


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < _KIBI:
            return f"{count:.3g} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= _KIBI
    return f"{count:.3g} {_UNITS[-1]}"
