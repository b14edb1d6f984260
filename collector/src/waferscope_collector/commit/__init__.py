"""Commit: many requests in one transaction, acknowledged only after it."""
