"""Expressions written out again: formatted, or as the JSON tree of Prometheus's API."""

from waferscope_query.promql.printing.pretty import format_query
from waferscope_query.promql.printing.tree import parse_query

__all__ = ["format_query", "parse_query"]
