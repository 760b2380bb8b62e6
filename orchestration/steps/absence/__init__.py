"""The finder `absence`: clusters, nodes, workloads, targets and metrics that stop reporting.

`presence` reads which series have a sample in which column, `naming` says what a series is of,
`levels` what falls silent as one, `watch` learns their rhythms, `verdicts` which silence explains
which, `evidence` what was planned, `finder` makes rows of them and `chart` a picture.
"""
