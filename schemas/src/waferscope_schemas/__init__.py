"""Semantic-convention registry, SQL migrations, change feed and stable SQL views of WaferScope."""
