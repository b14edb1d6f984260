"""PromQL engine and HTTP API of WaferScope."""
