"""Pulling ranges from any Prometheus by `/api/v1/query_range`, for what was never pushed.

The watermark of a cluster (up to when it was pulled) is stored in the very commit that brings the
samples, so it can be neither ahead of them nor behind. Only the running day is appended to. A
closed day is pulled whole and replaces what the lake has of that cluster and day, so it may be
pulled by whoever and as often as one likes, and no sample is there twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ingest import direct
from ingest.catalogue import Catalogue
from ingest.errors import SourceError
from ingest.samples import SampleBatch
from ingest.series import Series, identify
from lake import CommitKey, Lake, TimeRange
from lake.timerange import EPOCH, MICROSECOND

MAX_POINTS = 10_000
"""Prometheus refuses more than 11,000 points a series in one answer."""

MAX_SPAN = timedelta(hours=2)
"""Longest range in one request: keeps an answer of 10,000 series in the tens of megabytes."""


SECOND = timedelta(seconds=1)

Points = tuple[Series, npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""A series, its times in ms since 1970, its values."""


class PrometheusSource(BaseModel):
    """A Prometheus server to pull one cluster's metrics from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str = Field(description="cluster of series that carry no `cluster` label")
    url: str = Field(description="base address, e.g. http://prometheus.monitoring:9090")
    match: tuple[str, ...] = Field(
        ('{__name__=~".+"}',), description="series selectors, as in /federate"
    )
    step: timedelta = Field(timedelta(seconds=30), description="resolution; the scrape interval")
    lookback: timedelta = Field(
        timedelta(hours=1), description="how far back the very first pull reaches"
    )
    bearer_token: str | None = Field(None, description="sent as `Authorization: Bearer …`")
    timeout: timedelta = Field(timedelta(seconds=60), description="for one request")

    @field_validator("step")
    @classmethod
    def _whole_seconds(cls, step: timedelta) -> timedelta:
        # The watermark counts seconds: a finer one would be pulled in part again.
        if step < SECOND or step % SECOND:
            raise ValueError(f"step {step.total_seconds():g} s is not a whole number of seconds")
        return step


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought: `range` is None where there was nothing to ask for."""

    cluster: str
    range: TimeRange | None
    samples: int
    series: int


class PrometheusPuller:
    """Pulls from one source into one lake."""

    def __init__(self, lake: Lake, source: PrometheusSource, client: httpx.Client) -> None:
        self.lake = lake
        self.source = source
        self._client = client
        self._catalogue = Catalogue()
        self._app = f"pull-{source.cluster}"

    def watermark(self) -> datetime | None:
        """Everything before this time has been pulled; None = nothing yet."""
        seconds = self.lake.samples.committed_position(self._app)
        return None if seconds is None else EPOCH + timedelta(seconds=seconds)

    def pull_new(self, now: datetime) -> Pulled:
        """Pull from the watermark to now: days that have closed since, then the running one.

        What is of today goes in by one commit that moves the watermark. A closed day for which the
        source has nothing is left as it is: the source may have forgotten it.
        """
        step = self.source.step
        end = EPOCH + (now - EPOCH) // step * step
        start = self.watermark() or end - self.source.lookback
        if end <= start:
            return Pulled(self.source.cluster, None, 0, 0)
        day = TimeRange.of_day(now.astimezone(UTC).date())
        samples = n_series = 0
        for closed in _days(start, day.start):
            batch, found = self._fetch(TimeRange.of_day(closed))
            if len(batch):
                samples += self._replace(closed, batch)
                n_series = max(n_series, found)
        # The first point of the grid that is of today: rounded up.
        first = EPOCH - (EPOCH - day.start) // step * step
        batch, found = self._fetch_after(max(start, first), end)
        key = CommitKey(self._app, int((end - EPOCH).total_seconds()))
        samples += direct.append(self.lake, self._catalogue, batch, key)
        return Pulled(self.source.cluster, TimeRange(start, end), samples, max(n_series, found))

    def pull_day(self, day: date) -> Pulled:
        """Pull a closed UTC day again; repeating it changes nothing."""
        between = TimeRange.of_day(day)
        batch, n_series = self._fetch(between)
        return Pulled(self.source.cluster, between, self._replace(day, batch), n_series)

    def _replace(self, day: date, batch: SampleBatch) -> int:
        return direct.replace_day(
            self.lake, self._catalogue, batch, self.source.cluster, day.isoformat()
        )

    def _fetch_after(self, start: datetime, end: datetime) -> tuple[SampleBatch, int]:
        if end <= start:
            return direct.batch(self._catalogue, [], [], []), 0
        return self._fetch(TimeRange(start, end))

    def _fetch(self, between: TimeRange) -> tuple[SampleBatch, int]:
        series, times, values = [], [], []
        for part in _split(between, self.source.step):
            seen: set[int] = set()
            for selector in self.source.match:
                for one, time_ms, value in self._query(selector, part):
                    # Selectors may overlap.
                    if one.series_id in seen:
                        continue
                    seen.add(one.series_id)
                    series.append(one)
                    times.append(time_ms)
                    values.append(value)
        batch = direct.batch(self._catalogue, series, times, values)
        return batch, len({one.series_id for one in series})

    def _query(self, selector: str, part: TimeRange) -> Iterator[Points]:
        source = self.source
        url = f"{source.url.rstrip('/')}/api/v1/query_range"
        headers = {"Authorization": f"Bearer {source.bearer_token}"} if source.bearer_token else {}
        form = {
            "query": selector,
            "start": part.start.isoformat(),
            # Prometheus includes the end; ranges here are half-open.
            "end": (part.end - MICROSECOND).isoformat(),
            "step": str(source.step.total_seconds()),
        }
        try:
            reply = self._client.post(
                url, data=form, headers=headers, timeout=source.timeout.total_seconds()
            )
        except httpx.HTTPError as error:
            raise SourceError(url, f"{type(error).__name__}: {error}") from error
        try:
            answer = reply.json()
        except ValueError as error:
            raise SourceError(
                url, f"status {reply.status_code}, and no JSON in the answer"
            ) from error
        if not isinstance(answer, dict) or answer.get("status") != "success":
            problem = answer.get("error") if isinstance(answer, dict) else answer
            raise SourceError(url, f"status {reply.status_code}: {problem}")
        try:
            yield from [_points(entry, source.cluster) for entry in answer["data"]["result"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SourceError(
                url, f"answer is no range of series: {type(error).__name__} {error}"
            ) from error


def _points(entry: Mapping[str, Any], cluster: str) -> Points:
    points = entry.get("values", [])
    return (
        identify(entry["metric"].items(), cluster),
        np.array([round(float(at) * 1000) for at, _ in points], np.int64),
        np.array([float(value) for _, value in points], np.float64),
    )


def _days(start: datetime, end: datetime) -> Iterator[date]:
    """The UTC days that begin before `end`, a midnight, from that of `start` on."""
    day = start.astimezone(UTC).date()
    while day < end.date():
        yield day
        day += timedelta(days=1)


def _split(between: TimeRange, step: timedelta) -> Iterator[TimeRange]:
    """Parts on the grid of steps, so that points are as far apart at their borders as elsewhere."""
    span = step * max(1, min(MAX_SPAN // step, MAX_POINTS))
    start = between.start
    while start < between.end:
        end = min(start + span, between.end)
        yield TimeRange(start, end)
        start = end
