"""Pulling one cluster's ranges into one lake, part by part.

The watermark of a cluster (up to when it was pulled) is stored in the very commit that brings the
samples, so it can be neither ahead of them nor behind. A long gap is pulled in parts, each of them
a commit: memory is bounded, and what is done stays done.

No sample is there twice. The running day is appended to: a pull begins a little before the
watermark, and of that overlap only what the lake lacks is added. A closed day is pulled whole and
made to agree with the source, so it may be pulled by whoever and as often as one likes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx

from ingest import direct
from ingest.catalogue import Catalogue
from ingest.errors import AnswerTooLargeError, SourceError
from ingest.pull.client import RangeClient, Waits
from ingest.pull.source import PrometheusSource
from ingest.samples import SampleBatch
from lake import CommitKey, Lake, TimeRange
from lake.timerange import EPOCH

MAX_POINTS = 10_000
"""Prometheus refuses more than 11,000 points a series in one answer."""

MAX_SPAN = timedelta(hours=2)
"""Longest range in one request: 10,000 series at 30 s are 2.4 million samples in one commit."""

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought.

    Attributes:
        cluster: the source's.
        range: what was asked for that is new; None where there was nothing to ask for.
        samples: of closed days all that the source has, of the running one those that were added.
        series: how many series they are of.
        error: why it failed, if it did; what was committed before that is not counted here.
    """

    cluster: str
    range: TimeRange | None
    samples: int
    series: int
    error: str | None = None


class PrometheusPuller:
    """Pulls from one source into one lake. For one thread; one process at a time a source.

    Args:
        lake: where the samples go.
        source: where they come from.
        client: what sends the requests; it may be shared.
        waits: how it waits before a request is repeated.
    """

    def __init__(
        self,
        lake: Lake,
        source: PrometheusSource,
        client: httpx.Client,
        waits: Waits | None = None,
    ) -> None:
        self.lake = lake
        self.source = source
        self._client = RangeClient(source, client, waits or Waits())
        self._catalogue = Catalogue()
        self._app = f"pull-{source.cluster}"
        self._span = source.step * max(1, min(MAX_SPAN // source.step, MAX_POINTS))

    def watermark(self) -> datetime | None:
        """Everything before this time has been pulled; None = nothing yet."""
        seconds = self.lake.samples.committed_position(self._app)
        return None if seconds is None else EPOCH + timedelta(seconds=seconds)

    def pull_new(self, now: datetime) -> Pulled:
        """Pull from the watermark to now: days that have closed since, then the running one.

        A part of a closed day for which the source has nothing is left as it is: the source may
        have forgotten it.

        Raises:
            SourceError: the source did not answer; parts that came before stay, and the watermark
                says up to where.
            InvalidLabelsError: an expression was asked for, not a selector.
        """
        step = self.source.step
        end = EPOCH + (now - self.source.settle - EPOCH) // step * step
        watermark = self.watermark()
        start = watermark or end - self.source.lookback
        if end <= start:
            return Pulled(self.source.cluster, None, 0, 0)
        today = TimeRange.of_day(end.astimezone(UTC).date()).start
        samples, series = 0, set[int]()
        for day in _days(start, today):
            whole = TimeRange.of_day(day)
            samples += self._settle(whole, series, leave_empty=True)
            self._append(direct.batch(self._catalogue, [], [], []), whole, whole.end)
        # The first point of the grid that is of today: rounded up.
        first = EPOCH - (EPOCH - today) // step * step
        overlap = self.source.overlap // step * step if watermark else timedelta(0)
        at = max(start - overlap, first)
        if at >= end:
            self._append(direct.batch(self._catalogue, [], [], []), TimeRange(start, end), end)
        else:
            for part, batch in self._parts(TimeRange(at, end), series):
                samples += self._append(batch, part, part.end)
        return Pulled(self.source.cluster, TimeRange(start, end), samples, len(series))

    def pull_day(self, day: date) -> Pulled:
        """Pull a closed UTC day again; repeating it changes nothing.

        Raises:
            SourceError, InvalidLabelsError: as `pull_new`.
        """
        whole, series = TimeRange.of_day(day), set[int]()
        samples = self._settle(whole, series, leave_empty=False)
        return Pulled(self.source.cluster, whole, samples, len(series))

    def _settle(self, whole: TimeRange, series: set[int], *, leave_empty: bool) -> int:
        """Make the lake agree with the source on a range; how many samples that has."""
        samples = 0
        for part, batch in self._parts(whole, series):
            if len(batch) or not leave_empty:
                direct.replace(self.lake, self._catalogue, batch, self.source.cluster, part)
            samples += len(batch)
        return samples

    def _append(self, batch: SampleBatch, part: TimeRange, until: datetime) -> int:
        """Add what the lake lacks of a part, and move the watermark."""
        key = CommitKey(self._app, (until - EPOCH) // SECOND)
        return direct.append_missing(self.lake, self._catalogue, batch, key, part)

    def _parts(
        self, between: TimeRange, series: set[int]
    ) -> Iterator[tuple[TimeRange, SampleBatch]]:
        """Parts on the grid of steps, so that points are as far apart at their borders as inside.

        A part that is too much for the source or for us is halved, and so are those after it.
        """
        start = between.start
        while start < between.end:
            part = TimeRange(start, min(start + self._span, between.end))
            try:
                batch = self._fetch(part, series)
            except AnswerTooLargeError as error:
                steps = min(self._span, part.end - start) // self.source.step
                if steps <= 1:
                    raise SourceError(
                        error.url,
                        f"{error.problem}, for a single step: split `match` into narrower "
                        "selectors, or raise `max_answer_bytes`",
                    ) from error
                self._span = steps // 2 * self.source.step
                continue
            yield part, batch
            start = part.end

    def _fetch(self, part: TimeRange, series: set[int]) -> SampleBatch:
        found, times, values = [], [], []
        seen: set[int] = set()
        for selector in self.source.match:
            for one, time_ms, value in self._client.query(selector, part):
                # Selectors may overlap.
                if one.series_id in seen:
                    continue
                seen.add(one.series_id)
                found.append(one)
                times.append(time_ms)
                values.append(value)
        series |= seen
        return direct.batch(self._catalogue, found, times, values)


def _days(start: datetime, end: datetime) -> Iterator[date]:
    """The UTC days that begin before `end`, a midnight, from that of `start` on."""
    day = start.astimezone(UTC).date()
    while day < end.date():
        yield day
        day += timedelta(days=1)
