"""Fold: what changes rows instead of adding some: running totals and job runs. Pure; `commit` moves the rows."""
