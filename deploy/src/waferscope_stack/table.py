"""Tables in plain text."""

from collections.abc import Sequence


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render a table: columns as wide as their widest cell, those of numbers to the right.

    Args:
        headers: The columns' names.
        rows: The cells, as many a row as there are headers.

    Returns:
        Lines without a newline at the end.
    """
    widths = [max(len(row[column]) for row in (headers, *rows)) for column in range(len(headers))]
    numeric = [bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(headers))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(headers), line(["-" * width for width in widths]), *map(line, rows)])


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.split(" ", maxsplit=1)[0].replace(".", "", 1).lstrip("-").isdigit()
