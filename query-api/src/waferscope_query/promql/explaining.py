"""A plan as a tree to look at, and what answering it took: pure, of what the stages have left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waferscope_query.promql.evaluation.tracing import NodeTrace, Trace
from waferscope_query.promql.history import RollupSelection
from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import (
    Aggregate,
    Binary,
    Call,
    Expr,
    Invariant,
    MatrixSelector,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
)
from waferscope_query.promql.plan import Plan
from waferscope_query.promql.printing.plain import duration_text
from waferscope_query.promql.source import USUAL_INTERVAL_MS, Samples, Selection
from waferscope_query.promql.usage import Read


def tree(plan: Plan, trace: Trace | None = None) -> dict[str, Any]:
    """The nodes of a plan, each with what it took where a trace is given."""
    return _node(plan.query.tree, plan, trace)


def expected(selection: Selection, series: int) -> dict[str, Any]:
    """A selection with what it may bring.

    Args:
        selection: Of the plan.
        series: That match, in the index.
    """
    span = max(0, selection.end_ms - selection.start_ms + 1)
    return {
        "matchers": _matchers(selection.matchers),
        "start": selection.start_ms / 1000,
        "end": selection.end_ms / 1000,
        "seriesExpected": series,
        "samplesExpected": series * -(-span // USUAL_INTERVAL_MS),
    }


def of_rollups(selection: RollupSelection, read: Read | None) -> dict[str, Any]:
    """What is asked of rollups, and what they brought where it was."""
    shown = {
        "matchers": _matchers(selection.matchers),
        "start": selection.start_ms / 1000,
        "end": selection.end_ms / 1000,
        "bucket": selection.bucket_ms / 1000,
    }
    if read is not None:
        shown |= {
            "series": read.series,
            "database": {"rows": read.read_samples, "bytes": read.read_bytes},
            "milliseconds": milliseconds(read.seconds),
        }
    return shown


def _matchers(matchers: Sequence[Matcher]) -> list[str]:
    return [f"{one.name}{one.op.value}{quote(one.value)}" for one in matchers]


def taken(samples: Samples, read: Read) -> dict[str, Any]:
    """What a selection brought, and from where."""
    return {
        "series": len(samples.labels),
        "samples": len(samples.ts),
        "memory": {"samples": read.cached_samples, "bytes": read.cached_bytes},
        "database": {"samples": read.read_samples, "bytes": read.read_bytes},
        "milliseconds": milliseconds(read.seconds),
    }


def milliseconds(seconds: float) -> float:
    """Seconds as milliseconds, to the microsecond."""
    return round(seconds * 1000, 3)


def _node(node: Expr, plan: Plan, trace: Trace | None) -> dict[str, Any]:
    while isinstance(node, Paren):
        node = node.expr
    shown: dict[str, Any] = {
        "node": type(node).__name__,
        "what": _what(node, plan),
        "expression": plan.query.text[node.start : node.end],
    }
    selection = _selection(node, plan)
    if selection is not None:
        shown["selection"] = selection
    if trace is not None:
        shown |= _took(trace.nodes.get(id(node), NodeTrace()))
    if not isinstance(node, MatrixSelector):
        shown["children"] = [_node(child, plan, trace) for child in _operands(node)]
    return shown


def _operands(node: Expr) -> Sequence[Expr]:
    if isinstance(node, Call) and node.function == "info":
        return node.args[:1]  # the other names labels only
    return node.children


def _selection(node: Expr, plan: Plan) -> int | None:
    if isinstance(node, MatrixSelector):
        return plan.selection_of.get(node.selector.start)
    if isinstance(node, VectorSelector) or (isinstance(node, Call) and node.function == "info"):
        return plan.selection_of.get(node.start)
    return None


def _took(note: NodeTrace) -> dict[str, Any]:
    return {
        "series": note.series,
        "values": note.values,
        "milliseconds": milliseconds(note.seconds),
        "ownMilliseconds": milliseconds(note.own),
    }


def _what(node: Expr, plan: Plan) -> str:
    """A node by itself, without its operands."""
    match node:
        case Aggregate():
            grouped = f" {'without' if node.without else 'by'} ({', '.join(node.grouping)})"
            what = node.op + (grouped if node.grouping or node.without else "")
        case Call():
            what = f"{node.function}()"
        case Binary():
            what = plan.query.text[node.op_start : node.op_end].strip()
        case Subquery():
            step_ms = node.step_ms or plan.limits.subquery_step_ms
            what = f"[{duration_text(node.range_ms)}:{duration_text(step_ms)}]"
        case Invariant():
            what = "once for all steps"
        case Unary():
            what = node.op
        case _:
            what = plan.query.text[node.start : node.end]
    return what
