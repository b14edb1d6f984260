"""The functions of PromQL this engine can evaluate, by name."""

from waferscope_query.promql.evaluation.functions import (
    absence,
    conversion,
    dates,
    elementwise,
    histograms,
    info,
    native,
    ranges,
    relabeling,
    sorting,
    trends,
)
from waferscope_query.promql.evaluation.functions.arguments import Function

IMPLEMENTED: dict[str, Function] = {
    **absence.FUNCTIONS,
    **conversion.FUNCTIONS,
    **dates.FUNCTIONS,
    **elementwise.FUNCTIONS,
    **histograms.FUNCTIONS,
    **info.FUNCTIONS,
    **native.FUNCTIONS,
    **ranges.FUNCTIONS,
    **relabeling.FUNCTIONS,
    **sorting.FUNCTIONS,
    **trends.FUNCTIONS,
}
