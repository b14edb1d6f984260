"""Replay: files that the Collector's file exporter wrote, sent to a writer."""
