"""The same workload in other clusters: who departs from it, and what all of them show at once.

`members` says which series are the same elsewhere, and `rows` reads them as one row a cluster.
`finder` finds the cluster that departs, by `models` of what is usual between them; `chart` draws
that. `shared` says which of what detectors find all clusters show (`answers` asks the siblings,
`load` knows what is traffic), and `told_once` makes one row of it.
"""
