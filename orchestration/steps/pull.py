"""Pulling what is configured: every source, one day or since its watermark."""

from collections.abc import Iterator
from datetime import date, datetime

import httpx

from ingest.pull import PrometheusPuller, PrometheusSource, Pulled
from lake import Lake, TimeRange


def pull_sources(
    lake: Lake, sources: tuple[PrometheusSource, ...], day: date, now: datetime
) -> Iterator[Pulled]:
    """Pull a day of every source.

    A closed day is pulled whole and replaces what the lake has of it. Of the running day, what
    came since the watermark is appended.
    """
    closed = TimeRange.of_day(day).end <= now
    with httpx.Client() as client:
        for source in sources:
            puller = PrometheusPuller(lake, source, client)
            yield puller.pull_day(day) if closed else puller.pull_new(now)
