"""PromQL: parse, plan, select, evaluate, render.

As a library: `answer = await evaluate(expr, source, start, end, step)`.
"""

from waferscope_query.promql.engine import evaluate, evaluate_instant

__all__ = ["evaluate", "evaluate_instant"]
