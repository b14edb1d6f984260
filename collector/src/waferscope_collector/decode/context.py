"""What decoding a request needs beside its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from waferscope_collector.decode.limits import Limits, Rejects


@dataclass(frozen=True, slots=True)
class Context:
    """How one request is decoded."""

    site: str  # of telemetry that names none
    promoted: Sequence[str]  # attributes of resources that become labels of every series
    latest: int  # the last timestamp that is accepted, Unix time in nanoseconds
    seed: tuple[int, int]  # of the keys of series
    rejects: Rejects  # counts what can't be stored
    limits: Limits = field(default_factory=Limits)  # beyond which points are refused
