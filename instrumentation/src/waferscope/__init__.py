"""Traced wafer jobs over OpenTelemetry: what job authors import, and the waferscope command."""
