"""The functions of PromQL: argument types and result, for parsing and the type check.

A function is listed here when PromQL has it; whether this engine can evaluate it is the plan's question.
"""

from __future__ import annotations

from dataclasses import dataclass

from waferscope_query.promql.parsing.tree import ValueType

_TYPES = {"v": ValueType.VECTOR, "m": ValueType.MATRIX, "s": ValueType.SCALAR, "t": ValueType.STRING}
_TABLE = """
v: absent(v) acos(v) acosh(v) abs(v) asin(v) asinh(v) atan(v) atanh(v) ceil(v) cos(v) cosh(v) deg(v) exp(v) floor(v)
v: ln(v) log10(v) log2(v) rad(v) sgn(v) sin(v) sinh(v) sort(v) sort_desc(v) sqrt(v) tan(v) tanh(v) timestamp(v)
v: histogram_avg(v) histogram_count(v) histogram_sum(v) histogram_stddev(v) histogram_stdvar(v)
v: histogram_fraction(ssv) histogram_quantile(sv) histogram_quantiles(vtss+9) clamp(vss) clamp_max(vs) clamp_min(vs)
v: round(vs+1) day_of_month(v+1) day_of_week(v+1) day_of_year(v+1) days_in_month(v+1) hour(v+1) minute(v+1)
v: month(v+1) year(v+1) info(vv+1) label_join(vttt+*) label_replace(vtttt) sort_by_label(vt+*) sort_by_label_desc(vt+*)
v: absent_over_time(m) avg_over_time(m) changes(m) count_over_time(m) delta(m) deriv(m) first_over_time(m) idelta(m)
v: increase(m) irate(m) last_over_time(m) mad_over_time(m) max_over_time(m) min_over_time(m) present_over_time(m)
v: rate(m) resets(m) stddev_over_time(m) stdvar_over_time(m) sum_over_time(m) ts_of_first_over_time(m)
v: ts_of_last_over_time(m) ts_of_max_over_time(m) ts_of_min_over_time(m) predict_linear(ms) quantile_over_time(sm)
v: double_exponential_smoothing(mss) integral(ms+1) start_timestamp(v) vector(s)
s: scalar(v) pi() time() start() end() step() range() max_of(ss) min_of(ss)
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's name, argument types and result.

    Attributes:
        name: As written in expressions.
        args: The types, the optional last one included.
        optional: How many arguments may follow the required ones; None for any number, 0 for a fixed list.
        returns: The result's type.
    """

    name: str
    args: tuple[ValueType, ...]
    optional: int | None
    returns: ValueType

    @property
    def required(self) -> int:
        """The least number of arguments: the last listed type is the optional one where there is any."""
        return len(self.args) if self.optional == 0 else len(self.args) - 1


def _read_table() -> dict[str, Signature]:
    signatures = {}
    for line in _TABLE.strip().splitlines():
        returns, _, entries = line.partition(": ")
        for entry in entries.split():
            name, _, rest = entry.removesuffix(")").partition("(")
            args, _, extra = rest.partition("+")
            optional = None if extra == "*" else int(extra or 0)
            signatures[name] = Signature(name, tuple(_TYPES[letter] for letter in args), optional, _TYPES[returns])
    return signatures


SIGNATURES = _read_table()
