"""Planning beyond the border of raw samples: which selectors are answered from rollups, and which can't be."""

from __future__ import annotations

from dataclasses import replace

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.grid import Grid, Limits, fixed_time
from waferscope_query.promql.history import (
    FIVE_MINUTES_MS,
    HOUR_MS,
    MEASURES,
    Borders,
    Measure,
    RollupSelection,
    moment_text,
)
from waferscope_query.promql.parsing.tree import (
    Call,
    Expr,
    MatrixSelector,
    Selecting,
    Subquery,
    VectorSelector,
    unwrap,
)
from waferscope_query.promql.plan import OF_STARTS, Plan, Survey
from waferscope_query.promql.printing.plain import duration_text


def beyond_raw(plan: Plan, borders: Borders | None) -> Plan:
    """Let a plan read rollups where its samples are gone.

    Steps that look at kept samples only stay with these; a plan without others is returned as it is.

    Args:
        plan: A plan that knows of no borders.
        borders: From when on everything is kept; None: always.

    Raises:
        ExecutionError: Rollups can't answer a part that looks back beyond the border.
    """
    if borders is None or all(selection.start_ms >= borders.raw_ms for selection in plan.selections):
        return plan
    survey = _Survey(plan.grid, plan.limits, borders)
    survey.visit(plan.query.tree, plan.grid.start_ms, plan.grid.end_ms)
    return replace(
        plan,
        selections=tuple(survey.selections),
        selection_of=survey.selection_of,
        rollups=tuple(survey.rollups),
        rollup_of=survey.rollup_of,
    )


class _Survey(Survey):
    """Notes of every selector what it needs on either side of the border."""

    def __init__(self, grid: Grid, limits: Limits, borders: Borders) -> None:
        super().__init__(grid, limits)
        self._borders = borders
        self._step_ms = grid.step_ms
        self.rollups: list[RollupSelection] = []
        self.rollup_of: dict[int, int] = {}

    def visit(self, node: Expr, first_ms: int, last_ms: int, *, starts: bool = False) -> None:
        if isinstance(node, Subquery):
            outer, self._step_ms = self._step_ms, node.step_ms or self._limits.subquery_step_ms
            super().visit(node, first_ms, last_ms)
            self._step_ms = outer
        elif isinstance(node, VectorSelector):
            self._visit_instant(node, node, first_ms, last_ms, starts=starts)
        elif isinstance(node, MatrixSelector):
            self._refuse_beyond("a range of samples", node, node.range_ms, first_ms, last_ms)
            super().visit(node, first_ms, last_ms, starts=starts)
        elif isinstance(node, Call):
            self._visit_call(node, first_ms, last_ms)
        else:
            super().visit(node, first_ms, last_ms, starts=starts)

    def _visit_call(self, node: Call, first_ms: int, last_ms: int) -> None:
        ranges = [arg for arg in map(unwrap, node.args) if isinstance(arg, MatrixSelector)]
        selector = unwrap(node.args[0]) if node.args else None
        if ranges and self._reaches(ranges[0], ranges[0].range_ms, first_ms, last_ms):
            self._note_range(node, ranges[0], first_ms, last_ms)
        elif ranges:
            for arg in map(unwrap, node.args):
                starts = arg is ranges[0] and node.function in OF_STARTS
                (super().visit if arg is ranges[0] else self.visit)(arg, first_ms, last_ms, starts=starts)
        elif node.function == "timestamp" and isinstance(selector, VectorSelector):
            self._visit_instant(node, selector, first_ms, last_ms)
        else:
            super().visit(node, first_ms, last_ms)

    def _note_info(self, node: Call, first_ms: int, last_ms: int) -> None:
        super()._note_info(node, first_ms, last_ms)
        if self.selections[-1].start_ms < self._borders.raw_ms:
            raise self._refusal("info()")

    # Times -----------------------------------------------------------------------------------------------------------

    def _times(self, node: Selecting, first_ms: int, last_ms: int) -> tuple[int, int]:
        """When a selector looks first and last, `@` and `offset` applied."""
        fixed = fixed_time(node, self._grid)
        if fixed is not None:
            first_ms = last_ms = fixed
        return first_ms - node.offset_ms, last_ms - node.offset_ms

    def _reaches(self, node: Selecting, reach_ms: int, first_ms: int, last_ms: int) -> bool:
        first_ms, _ = self._times(node, first_ms, last_ms)
        return first_ms - reach_ms + 1 < self._borders.raw_ms

    def _refuse_beyond(self, what: str, node: Selecting, reach_ms: int, first_ms: int, last_ms: int) -> None:
        if self._reaches(node, reach_ms, first_ms, last_ms):
            raise self._refusal(what)

    # Either side of the border ---------------------------------------------------------------------------------------

    def _visit_instant(
        self, node: Expr, selector: VectorSelector, first_ms: int, last_ms: int, *, starts: bool = False
    ) -> None:
        """Note an instant selector under a node: itself, or timestamp() of it."""
        reach = self._limits.lookback_ms
        if not self._reaches(selector, reach, first_ms, last_ms):
            super().visit(selector, first_ms, last_ms, starts=starts)
            return
        if selector.extension:
            raise self._refusal(f"{selector.extension} selectors")
        first_ms, last_ms = self._times(selector, first_ms, last_ms)
        bucket = HOUR_MS if self._step_ms >= HOUR_MS or self._five_minutes_end(first_ms, reach) else FIVE_MINUTES_MS
        self._split(node, selector, (Measure.LAST, bucket, reach, reach), first_ms, last_ms)

    def _note_range(self, node: Call, matrix: MatrixSelector, first_ms: int, last_ms: int) -> None:
        """Note a function of a range, and what else it takes."""
        for arg in map(unwrap, node.args):
            if arg is not matrix:
                self.visit(arg, first_ms, last_ms)
        measure, extension, reach = MEASURES.get(node.function), matrix.selector.extension, matrix.range_ms
        if measure is None or extension:
            raise self._refusal(f"{extension} ranges" if extension else f"{node.function}()")
        first_ms, last_ms = self._times(matrix, first_ms, last_ms)
        bucket = HOUR_MS if reach >= HOUR_MS else FIVE_MINUTES_MS
        window = -(-reach // bucket) * bucket
        if reach < FIVE_MINUTES_MS:
            raise ExecutionError(
                f"{self._gone()}: for older ones the range of {node.function}() has to be at least 5m,"
                f" not {duration_text(reach)}"
            )
        if bucket == FIVE_MINUTES_MS and self._five_minutes_end(first_ms, window):
            border = moment_text(self._borders.five_minutes_ms)
            raise ExecutionError(
                f"rollups of 5m before {border} are gone: for older ones the range of {node.function}() has to be"
                f" at least 1h, not {duration_text(reach)}"
            )
        self._split(node, matrix.selector, (measure, bucket, window, reach), first_ms, last_ms)

    def _five_minutes_end(self, first_ms: int, window_ms: int) -> bool:
        """Whether the first step looks back beyond the rollups of five minutes."""
        return first_ms // FIVE_MINUTES_MS * FIVE_MINUTES_MS - window_ms < self._borders.five_minutes_ms

    def _split(
        self, node: Expr, selector: VectorSelector, asked: tuple[Measure, int, int, int], first_ms: int, last_ms: int
    ) -> None:
        """Note buckets for the steps that look beyond the border, and samples for the others."""
        measure, bucket, window, reach = asked
        border = self._borders.raw_ms
        last_old_ms = min(last_ms, border + reach - 2)
        self.rollup_of[node.start] = len(self.rollups)
        self.rollups.append(
            RollupSelection(
                matchers=selector.matchers,
                measure=measure,
                bucket_ms=bucket,
                start_ms=(first_ms // bucket * bucket - window) // bucket * bucket,
                end_ms=last_old_ms // bucket * bucket,
                window_ms=window,
                reach_ms=reach,
                border_ms=border,
            )
        )
        if last_old_ms < last_ms:
            self._note(selector, border - 1, last_ms, starts=False)

    # Words -----------------------------------------------------------------------------------------------------------

    def _gone(self) -> str:
        return f"samples before {moment_text(self._borders.raw_ms)} are gone"

    def _refusal(self, what: str) -> ExecutionError:
        return ExecutionError(
            f"{self._gone()}, and rollups don't answer {what}: of older times they answer instant selectors and"
            f" {', '.join(sorted(MEASURES))} over ranges of at least 5m"
        )
