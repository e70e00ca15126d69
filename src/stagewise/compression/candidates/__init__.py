"""One class per kind of candidate: config arguments in, then called as (source graph, calibration rows, out)."""
