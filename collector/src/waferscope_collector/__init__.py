"""Writer (OTLP to PostgreSQL) and Collector configuration of WaferScope."""
