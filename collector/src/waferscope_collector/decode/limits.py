"""What can never be stored, and how it is counted: the partial success of a request."""

from collections import Counter
from dataclasses import dataclass

KEY_BYTES = 512  # of what enters an index: ids, names (a btree takes 2,704 bytes in all)

MOST_REASONS = 10  # that an answer names

NO_TIME = "without a time"
FUTURE = "too far in the future"
TOO_OLD = "older than what is kept"
LONG_KEY = f"with an id or name over {KEY_BYTES} bytes"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the writer takes in at most."""

    series: int = 10_000_000  # of the site
    metric_series: int = 1_000_000  # of one metric
    future: float = 24 * 3600.0  # s that a timestamp may be ahead of the writer's clock
    labels: int = 128  # of a series
    label_bytes: int = 4096  # of a label's value


def within_key(text: str) -> bool:
    """Tell whether a text is short enough for an index."""
    return len(text) * 4 <= KEY_BYTES or len(text.encode()) <= KEY_BYTES


class Rejects:
    """Counts what a request holds that can never be stored, by reason."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._counts: Counter[str] = Counter()

    def add(self, reason: str, count: int = 1) -> None:
        """Count records that are refused for a reason; the reason continues the sentence "3 data points …"."""
        self._counts[reason] += count

    def take(self, others: "Rejects") -> None:
        """Count what others counted as well."""
        self._counts.update(others.counts)

    def time(self, unix_nano: int, latest: int, oldest: int = 0) -> bool:
        """Tell whether a timestamp is to be refused, and count it.

        Args:
            unix_nano: The timestamp.
            latest: The last time that is accepted, Unix time in nanoseconds.
            oldest: The first one.
        """
        if unix_nano and oldest <= unix_nano <= latest:
            return False
        self.add(FUTURE if unix_nano > latest else TOO_OLD if unix_nano else NO_TIME)
        return True

    @property
    def counts(self) -> dict[str, int]:
        """Refused records by reason."""
        return dict(self._counts)

    @property
    def total(self) -> int:
        """How many records are refused."""
        return self._counts.total()

    @property
    def message(self) -> str:
        """One line for the client: what was refused and why, most frequent first; empty when nothing was."""
        told = self._counts.most_common(MOST_REASONS)
        parts = [f"{count} {self.noun} {reason}" for reason, count in told]
        if rest := self.total - sum(count for _, count in told):
            parts.append(f"{rest} {self.noun} for {len(self._counts) - len(told)} other reasons")
        return "; ".join(parts)
