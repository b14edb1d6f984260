"""Native histograms, compiled: reading, adding, comparing, estimating. Rules are those of Prometheus's FloatHistogram.

A `Work` is one histogram taken out of its table; functions that change it give it back changed. Whole columns of
histograms go through the functions of `cells` and `windows`, which build new tables.
"""
