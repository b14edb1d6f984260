"""What `waferscope doctor` looks at, one module each."""
