"""Samples that were read once, kept in memory as long as the change feed doesn't say that they changed.

session   one query's view: what is cached, what was committed before the query began, what has to be read
block     ten minutes of some series, as arrays that are never written again
contents  what a block may hold: floats, histograms as classic series, native histograms
splicing  neighbouring times put together, and a part of them replaced
changes   which times were touched, from the change feed
kernels   moving many short runs of samples at once
"""
