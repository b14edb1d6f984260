"""Receive: OTLP over gRPC and HTTP, both answered from one intake."""
