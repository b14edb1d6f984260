"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        level: `ok`; `note`, nothing to do; `warn`, telemetry is poorer than it could be; `fail`, it does not arrive.
        subject: What was looked at, one word.
        found: What is so.
        advice: What to do; empty where nothing is.
    """

    level: Level
    subject: str
    found: str
    advice: str = ""
