"""Grafana boards and provisioning of WaferScope as code."""
