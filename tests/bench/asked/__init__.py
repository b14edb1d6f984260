"""What the benchmarks of the query service ask, and the samples they ask for."""
