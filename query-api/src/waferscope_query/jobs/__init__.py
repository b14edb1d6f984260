"""Job runs over HTTP: lists in the predecessor's shape, and everything about one job."""
