"""Rollups on their way into an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from waferscope_query.promql.history import RollupSelection
from waferscope_query.promql.source import Rollups


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What was asked of times whose samples are gone, and what came."""

    selection: RollupSelection
    rollups: Rollups
