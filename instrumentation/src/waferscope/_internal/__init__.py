"""The wrapper's inside: may change in any release; import from `waferscope` only."""
