"""The query service over HTTP: Prometheus's API, jobs, health."""
