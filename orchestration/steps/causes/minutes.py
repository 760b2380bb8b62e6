"""Counts by minute, as matrices for `detectors.causes.rate_changes`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from detectors.causes import rate_changes

MINUTE = "__minute"

MOST_MINUTES = 1440
"""Of the baseline, the newest: a day says how widely a rate scatters."""


def by_minute(frame: pl.DataFrame, at: datetime, window: timedelta) -> pl.DataFrame:
    """The rows up to the incident's end, with their minute: 0 is the one that begins at `at`."""
    minute = (pl.col("timestamp") - at).dt.total_microseconds().floordiv(60_000_000)
    return frame.filter(pl.col("timestamp") < at + window).with_columns(minute.alias(MINUTE))


def changes(
    counts: pl.DataFrame,
    chances: pl.DataFrame,
    keys: Sequence[str],
    of: Sequence[str],
    *,
    at_most_once: bool,
) -> pl.DataFrame:
    """How each rate changed.

    Args:
        counts: a row for each key and `MINUTE` (`by_minute`), with `count`.
        chances: a row for each of `of` and minute, with `chance`.
        keys: columns that name what is counted.
        of: columns, some of `keys`, that name what it is counted against.
        at_most_once: whether one chance gives at most one count.

    Returns:
        A row a key: `keys`, `count`, `chance`, `expected` of the incident, and `change` in
        deviations; only of keys whose chances came in both times.
    """
    minutes = pl.col(MINUTE)
    kept = chances.filter(minutes < 0).select(MINUTE).unique().sort(MINUTE).tail(MOST_MINUTES)
    if kept.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys(keys, pl.String), "change": pl.Float64})
    places = kept.with_row_index("place")
    whole = counts.select(keys).unique(maintain_order=True).with_row_index("key")
    old = (len(whole), len(kept))
    found, chance = np.zeros(old), np.zeros(old)
    owners = whole.join(chances, on=of, how="inner", nulls_equal=True)
    before = owners.join(places, on=MINUTE, how="inner")
    chance[before["key"].to_numpy(), before["place"].to_numpy()] = before["chance"].to_numpy()
    mine = whole.join(counts, on=keys, how="inner", nulls_equal=True)
    past = mine.join(places, on=MINUTE, how="inner")
    found[past["key"].to_numpy(), past["place"].to_numpy()] = past["count"].to_numpy()
    new, new_chance = np.zeros(len(whole)), np.zeros(len(whole))
    for target, rows, value in ((new, mine, "count"), (new_chance, owners, "chance")):
        sums = rows.filter(minutes >= 0).group_by("key").agg(pl.col(value).sum())
        target[sums["key"].to_numpy()] = sums[value].to_numpy()
    change = rate_changes(found, chance, new, new_chance, at_most_once=at_most_once)
    total = chance.sum(axis=1)
    rate = np.divide(found.sum(axis=1), total, out=np.zeros(len(whole)), where=total > 0)
    columns = {"count": new, "chance": new_chance, "expected": rate * new_chance, "change": change}
    rows = whole.with_columns(pl.Series(name, values) for name, values in columns.items())
    return rows.filter((pl.col("chance") > 0) & pl.Series(total > 0)).drop("key")
