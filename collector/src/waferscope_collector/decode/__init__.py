"""Decode: bytes of an OTLP request to batches of plain values and numpy arrays. Pure, and off the event loop."""
