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
    """Series with columns `release`, `released` (null = unknown), `returned` and `before`.

    `release` is the newest image of those that the container was seen with on its last day, which
    after a rollback is an older one, `released` when that was seen first. `returned`: whether
    another image was seen first after it, so that it is no new release. `before` are series of
    other images, where these are gone and the release has run for long enough.

    Args:
        used: a row a series: the columns of `container`, `image`, `first_seen`, `last_seen`.
        container: columns that name one.
        now: the time.
        least: how long a release has to have run, to count alone; None = none does.
    """
    image, first, last = pl.col("image"), pl.col("first_seen"), pl.col("last_seen")
    day = last.dt.truncate("1d")
    running = day == day.max().over(container)
    born = first.min().over([*container, "image"])
    newest = image.sort_by(running, born, "first_seen", "series_id").last().over(container)
    told = used.with_columns(newest.alias("release"))
    own = image.eq_missing(pl.col("release"))
    told = told.with_columns(
        pl.when(pl.col("release").is_not_null())
        .then(first.filter(own).min().over(container))
        .alias("released"),
        # Where an image is not told, it may be any.
        alone=(own | (image.is_not_null() & (last < now - STILL))).all().over(container),
    )
    later = ~own & (born > pl.col("released"))
    # Of the time since its release, that of releases which were taken back is theirs.
    theirs = last.filter(later).max() - first.filter(later).min()
    told = told.with_columns(
        later.fill_null(value=False).any().over(container).alias("returned"),
        ran=now - pl.col("released") - theirs.over(container).fill_null(timedelta()),
    )
    old_enough = pl.lit(value=False) if least is None else pl.col("ran") >= least
    before = ~own & pl.col("alone") & old_enough
    return told.with_columns(before.fill_null(value=False).alias("before")).drop("alone", "ran")
