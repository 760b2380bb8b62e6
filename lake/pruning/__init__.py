"""Which files a query can need, from its own WHERE clauses and the log's statistics.

A filter on `date` prunes files by their paths, inside DuckDB, and a filter on a sorted column by
row groups; but DuckDB opens the footer of each file that it is given. So what a query asks of
`date`, `time`, `cluster`, `metric` and of a series' labels is read off its syntax tree, and files
in which no row can satisfy it are left out of the views. Only ever those: what is not understood
is not pruned.

    scans.py        each mention of a table, with what every row read through it must satisfy
    sources.py      what stands in a FROM clause, and which columns its joins make one
    filters.py      a filter on its way down, and what an outer join leaves of it
    columns.py      where in a query a name is a column of which table
    leaves.py       comparisons of columns with constants, as conditions
    constants.py    values of constant expressions
    conditions.py   conditions on files, and the files of a list that satisfy one
    entities.py     labels: the table `series` is asked first for metrics and lifetimes
"""
