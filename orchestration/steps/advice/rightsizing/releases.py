"""Which release containers run, and what they used before it: a version that is gone needs nothing.

A release is told by the label `image` that cAdvisor gives each series of what a container uses.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

STILL = timedelta(days=2)
"""When a series was seen last is known to the day: what was seen since may run."""


def since_release(
    used: pl.DataFrame, container: list[str], now: datetime, least: timedelta | None
) -> pl.DataFrame:
    """Series with columns `release`, `released` (null = unknown) and `before`.

    `release` is the image of the container's youngest series, `released` when that was seen first.
    `before` are series of other images, where these are gone and the release is old enough.

    Args:
        used: a row a series: the columns of `container`, `image`, `first_seen`, `last_seen`.
        container: columns that name one.
        now: the time.
        least: how old a release has to be, to count alone; None = none does.
    """
    image, first = pl.col("image"), pl.col("first_seen")
    newest = image.sort_by("first_seen", "series_id").last().over(container)
    told = used.with_columns(newest.alias("release"))
    own = image.eq_missing(pl.col("release"))
    told = told.with_columns(
        pl.when(pl.col("release").is_not_null())
        .then(first.filter(own).min().over(container))
        .alias("released"),
        # Where an image is not told, it may be any.
        alone=(own | (image.is_not_null() & (pl.col("last_seen") < now - STILL)))
        .all()
        .over(container),
    )
    old_enough = pl.lit(value=False) if least is None else pl.col("released") <= now - least
    before = ~own & pl.col("alone") & old_enough
    return told.with_columns(before.fill_null(value=False).alias("before")).drop("alone")
