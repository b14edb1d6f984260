"""The one place that knows TimescaleDB from plain PostgreSQL.

Migrations declare time-partitioned tables in PostgreSQL's words (``) partition by range (ts);``). Where TimescaleDB
is there, `translate` makes hypertables of them; otherwise they become natively partitioned tables with one partition
a day in UTC, named ``<table>_YYYYMMDD``, which `ensure` creates before rows arrive. What leaves, leaves by whole
chunks or partitions (`parts`, `drop`); where there is a columnstore, closed chunks go into it (`convert`).
"""

from waferscope_schemas.partitioning.columnstore import (
    DENSE,
    Unconverted,
    convert,
    enable_columnstore,
    expect_dense_copy,
    unconverted,
)
from waferscope_schemas.partitioning.create import MOST_NEW, ensure
from waferscope_schemas.partitioning.declare import provide, translate
from waferscope_schemas.partitioning.parts import Part, drop, parts, summarize

__all__ = [
    "DENSE",
    "MOST_NEW",
    "Part",
    "Unconverted",
    "convert",
    "drop",
    "enable_columnstore",
    "ensure",
    "expect_dense_copy",
    "parts",
    "provide",
    "summarize",
    "translate",
    "unconverted",
]
