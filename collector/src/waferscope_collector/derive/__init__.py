"""Metrics that no process sends: derived from the site's tables, sampled from the database, and the writer's own.

They are built as OTLP requests and stored like everybody's: there is no second way into the tables.
"""
