"""Pulling what is configured: every source, one day or since its watermark."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date, datetime

import httpx

from ingest.errors import IngestError
from ingest.pull.client import Waits
from ingest.pull.puller import PrometheusPuller, Pulled
from ingest.pull.source import PrometheusSource
from lake import Lake, LakeError, TimeRange
from orchestration.errors import PullError

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 4
"""Sources that are pulled at once. One that hangs takes a thread until its last attempt; each holds
one part of at most a few million samples."""


def pull_sources(
    lake: Lake,
    sources: tuple[PrometheusSource, ...],
    day: date,
    now: datetime,
    waits: Waits | None = None,
) -> Iterator[Pulled]:
    """Pull a day of every source, several at once; each is told of as it is done.

    A closed day is pulled whole, and what the lake has at the same points is corrected. Of the
    running day, what came since the watermark is appended. What a source warned of, and clusters
    that it may not speak for, are logged. One that fails holds up no other: its result says why.

    Raises:
        PullError: at the end, if any source failed.
    """
    closed = TimeRange.of_day(day).end <= now
    failed: dict[str, str] = {}

    def pull(source: PrometheusSource) -> Pulled:
        try:
            with httpx.Client(verify=source.verify()) as client:
                puller = PrometheusPuller(lake, source, client, waits)
                return puller.pull_day(day) if closed else puller.pull_new(now)
        except (IngestError, LakeError, OSError) as error:
            return Pulled(source.cluster, None, 0, 0, f"{type(error).__name__}: {error}")

    with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="pull") as threads:
        pulls = [threads.submit(pull, source) for source in sources]
        for done in as_completed(pulls):
            one = done.result()
            if one.error is not None:
                failed[one.cluster] = one.error
            if one.warnings:
                told = {"cluster": one.cluster, "warnings": one.warnings}
                logger.warning("a source warned that its answer may not be whole", extra=told)
            if one.foreign:
                named = {"cluster": one.cluster, "foreign": one.foreign}
                logger.warning("series of other clusters were left out: see `foreign`", extra=named)
            yield one
    if failed:
        raise PullError(failed, len(sources))
