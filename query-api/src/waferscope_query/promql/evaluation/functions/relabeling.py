"""label_replace and label_join: labels made from labels."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import re2

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.grouping import group_rows
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.labels import METRIC_NAME, Codes
from waferscope_query.promql.matchers import compile_regex
from waferscope_query.promql.parsing.literals import is_utf8, scrub
from waferscope_query.promql.parsing.tree import Call

_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


def _label_replace(node: Call, context: Context) -> Vector:
    """Set a label where another one matches a regex; where it doesn't, all stays."""
    vector = context.vector(node.args[0])
    target, template, source, pattern = (context.string(arg) for arg in node.args[1:])
    try:
        compile_regex(pattern)
    except re2.error:
        raise ExecutionError(f"invalid regular expression in label_replace(): {pattern}") from None
    if not target or not is_utf8(target):
        raise ExecutionError(f"invalid destination label name in label_replace(): {scrub(target)}")
    template = scrub(template)
    distinct, inverse = np.unique(vector.labels.column(source), return_inverse=True)
    made = [_replaced(pattern, context.pool.text(code), template) for code in distinct.tolist()]
    codes = np.array([0 if text is None else context.pool.code(text) for text in made], np.int32)[inverse]
    matched = np.array([text is not None for text in made], np.bool_)[inverse]
    return _assign(vector, target, np.where(matched, codes, vector.labels.column(target)).astype(np.int32), matched)


def _replaced(pattern: str, text: str, template: str) -> str | None:
    match = compile_regex(pattern).fullmatch(text)
    if match is None:
        return None
    groups = {str(number): match.group(number) or "" for number in range(compile_regex(pattern).groups + 1)}
    groups |= {name: value or "" for name, value in match.groupdict().items()}
    return _REFERENCE.sub(lambda found: "$" if found[1] else groups.get(found[2] or found[3], ""), template)


def _label_join(node: Call, context: Context) -> Vector:
    """Set a label to others' values, joined."""
    vector = context.vector(node.args[0])
    target, separator, *sources = (context.string(arg) for arg in node.args[1:])
    for name, role in (*((source, "source") for source in sources), (target, "destination")):
        if not name or not is_utf8(name):
            raise ExecutionError(f"invalid {role} label name in label_join(): {scrub(name)}")
    separator = scrub(separator)
    used = vector.labels.project(sources)
    ids, firsts = group_rows(used)
    rows = [used.row(first) for first in firsts.tolist()]
    texts = [separator.join(row.get(name, "") for name in sources) for row in rows]
    codes = np.array([context.pool.code(text) for text in texts], np.int32)[ids]
    return _assign(vector, target, codes, np.ones(len(vector), np.bool_))


def _assign(vector: Vector, target: str, codes: Codes, changed: np.typing.NDArray[np.bool_]) -> Vector:
    drop_name = vector.drop_name & ~changed if target == METRIC_NAME else vector.drop_name
    return replace(vector, labels=vector.labels.assign(target, codes), drop_name=drop_name).merged()


FUNCTIONS: dict[str, Function] = {"label_replace": _label_replace, "label_join": _label_join}
