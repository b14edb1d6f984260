"""What the benchmarks of the writer share."""
