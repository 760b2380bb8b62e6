"""The same workload in other clusters: `finder` finds the cluster that departs from its siblings.

`members` says which series are the same elsewhere, `rows` reads them as one row a cluster, `models`
learns what is usual between them and judges by it, and `chart` draws one.
"""
