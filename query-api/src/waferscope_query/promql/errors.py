"""What can go wrong between an expression and its answer.

The HTTP API maps these classes to Prometheus's error types in one table.
"""


class PromQLError(Exception):
    """Base of every error the engine raises on purpose."""


class ParseError(PromQLError):
    """The expression is no PromQL.

    Attributes:
        expression: The expression as given.
        start: First offending character (0-based).
        end: One past the last offending character.
        reason: Prometheus's message without its position.
    """

    def __init__(self, expression: str, start: int, end: int, reason: str) -> None:
        self.expression = expression
        self.start = start
        self.end = end
        self.reason = reason
        super().__init__(f"{line_and_column(expression, start)}: parse error: {reason}")


def line_and_column(expression: str, start: int) -> str:
    """Prometheus's `line:column`, counted in bytes from 1."""
    if not expression:
        return "unknown position"
    before = expression[:start]
    line_start = before.rfind("\n") + 1
    return f"{before.count(chr(10)) + 1}:{len(before[line_start:].encode()) + 1}"


class BadDataError(PromQLError):
    """A request's parameters make no sense together (time range, step, matchers)."""


class ExecutionError(PromQLError):
    """The expression is PromQL, but can't be answered over this data or by this engine."""


class TooManySamplesError(ExecutionError):
    """The query would hold more samples in memory than the limit allows."""

    def __init__(self) -> None:
        super().__init__("query processing would load too many samples into memory in query execution")


class TooManySeriesError(ExecutionError):
    """The query's selectors match more series than the limit allows."""

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(
            f"query would read {count:,} series, more than the limit of {limit:,} (WAFERSCOPE_QUERY_MAX_SERIES): "
            "narrow its selectors"
        )


class MemoryLimitError(ExecutionError):
    """The query would have more memory than its share."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"query would use more than {limit:,} bytes of memory (WAFERSCOPE_QUERY_MAX_MEMORY): "
            "ask for fewer series, a shorter range or a longer step"
        )


class MemoryExhaustedError(PromQLError):
    """All queries together would have more memory than there is for them; later there may be enough."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the {limit:,} bytes of memory for all queries (WAFERSCOPE_QUERY_TOTAL_MEMORY) are in use: try again later"
        )


class QueueFullError(PromQLError):
    """Too many queries wait already; later there may be room."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit:,} queries wait already (WAFERSCOPE_QUERY_MAX_QUEUE): try again later")


class QueryTimeoutError(PromQLError):
    """The deadline passed before the answer was there."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"query timed out in {stage}")


class QueryCanceledError(PromQLError):
    """Nobody waits for the answer any more."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"query was canceled in {stage}")
