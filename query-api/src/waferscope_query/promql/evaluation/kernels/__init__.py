"""The loops over samples, compiled.

Arrays as in `source.Samples`: series i owns the samples offsets[i] to offsets[i + 1]. `times` int64[s] are the right
ends of the windows, ascending or equal; `out` float64[n, s] and `present` bool[n, s] are filled for the series
`first` to `last`, so that a caller can work in blocks. Windows are open at their left end.
"""
