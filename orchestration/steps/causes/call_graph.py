"""Who calls whom, by a file of callers and callees."""

from collections import defaultdict
from pathlib import Path

import polars as pl

from lake.external import read_rows
from orchestration.steps.causes.names import Names


def read_graph(path: Path) -> list[tuple[str, str]]:
    """Callers and callees of a file with `source` and `target`.

    Raises:
        FileFormatError: it cannot be read, or lacks a column.
    """
    rows = pl.DataFrame(read_rows(path, ("source", "target"), timed=False))
    pairs = rows.select("source", "target").drop_nulls().unique(maintain_order=True)
    return [(str(source), str(target)) for source, target in pairs.iter_rows()]


def calls_of(pairs: list[tuple[str, str]], names: Names) -> dict[str, set[str]]:
    """Whom each entity calls; ends without metrics stay, under their own names."""
    calls: dict[str, set[str]] = defaultdict(set)
    for source, target in pairs:
        calls[names.entity(source) or source].add(names.entity(target) or target)
    return calls
