"""The subcommands of `waferscope` that this package brings; nothing that a job imports."""
