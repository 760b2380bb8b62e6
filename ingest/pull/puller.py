"""Pulling one cluster's ranges into one lake, part by part.

The watermark of a cluster (up to when it was pulled) is stored in the very commit that brings the
samples, so it can be neither ahead of them nor behind. A long gap is pulled in parts, each of them
a commit: memory is bounded, and what is done stays done.

No sample is there twice. The running day is appended to: a pull begins a little before the
watermark, and of that overlap only what the lake lacks is added. A closed day is pulled whole, and
the points of the answer are made to agree with the source, so it may be pulled by whoever and as
often as one likes. What the source does not tell of is never touched: others write there too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
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
        warnings: why the source may have more than it told; such answers only add.
        foreign: clusters that series named which are not the source's: those were left out.
        error: why it failed, if it did; what was committed before that is not counted here.
    """

    cluster: str
    range: TimeRange | None
    samples: int
    series: int
    error: str | None = None
    warnings: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seen:
    """What a pull has met so far."""

    series: set[int] = field(default_factory=set)
    warnings: dict[str, None] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Part:
    """What the source has of a range; where it is not whole, something may be missing."""

    range: TimeRange
    batch: SampleBatch
    whole: bool


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
        start = watermark or self._on_grid(end - self.source.lookback)
        if end <= start:
            return Pulled(self.source.cluster, None, 0, 0)
        today = TimeRange.of_day(end.astimezone(UTC).date()).start
        samples, seen = 0, _Seen()
        for day in _days(start, today):
            whole = TimeRange.of_day(day)
            # The first pull reaches back so far, and no further; later ones close the whole day.
            since = whole.start if watermark else max(start, whole.start)
            samples += self._settle(TimeRange(since, whole.end), seen)
            self._append(direct.batch(self._catalogue, [], [], []), whole, whole.end)
        overlap = self.source.overlap // step * step if watermark else timedelta(0)
        at = max(start - overlap, self._on_grid(today))
        if at >= end:
            self._append(direct.batch(self._catalogue, [], [], []), TimeRange(start, end), end)
        else:
            for part in self._parts(TimeRange(at, end), seen):
                # A part behind the watermark is no progress, and may bring what came late.
                until = part.range.end if part.range.end > start else None
                samples += self._append(part.batch, part.range, until)
        return self._pulled(TimeRange(start, end), samples, seen)

    def pull_day(self, day: date) -> Pulled:
        """Pull a closed UTC day again; repeating it changes nothing.

        Raises:
            SourceError, InvalidLabelsError: as `pull_new`.
        """
        whole, seen = TimeRange.of_day(day), _Seen()
        return self._pulled(whole, self._settle(whole, seen), seen)

    def _pulled(self, between: TimeRange, samples: int, seen: _Seen) -> Pulled:
        return Pulled(
            self.source.cluster,
            between,
            samples,
            len(seen.series),
            warnings=tuple(seen.warnings),
            foreign=tuple(sorted(seen.foreign)),
        )

    def _settle(self, between: TimeRange, seen: _Seen) -> int:
        """Make the lake agree with what the source has of a range; how many samples that are.

        An answer that may not be whole says what is there, but not that other values are wrong.
        """
        samples, start = 0, self._on_grid(between.start)
        if start >= between.end:
            return 0
        for part in self._parts(TimeRange(start, between.end), seen):
            if part.whole:
                direct.replace(self.lake, self._catalogue, part.batch, part.range)
                samples += len(part.batch)
            else:
                samples += self._append(part.batch, part.range, None)
        return samples

    def _on_grid(self, at: datetime) -> datetime:
        """The first time from then on at which the source is asked: that of all pulls, one grid."""
        step = self.source.step
        return EPOCH - (EPOCH - at) // step * step

    def _append(self, batch: SampleBatch, part: TimeRange, until: datetime | None) -> int:
        """Add what the lake lacks of a part, and move the watermark; None leaves it."""
        key = None if until is None else CommitKey(self._app, (until - EPOCH) // SECOND)
        return direct.append_missing(self.lake, self._catalogue, batch, key, part)

    def _parts(self, between: TimeRange, seen: _Seen) -> Iterator[_Part]:
        """Parts on the grid of steps, so that points are as far apart at their borders as inside.

        A part that is too much for the source or for us is halved, and so are those after it.
        """
        start = between.start
        while start < between.end:
            part = TimeRange(start, min(start + self._span, between.end))
            try:
                fetched = self._fetch(part, seen)
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
            yield fetched
            start = part.end

    def _fetch(self, part: TimeRange, seen: _Seen) -> _Part:
        found, times, values = [], [], []
        here: set[int] = set()
        warned = False
        for selector in self.source.match:
            answer = self._client.query(selector, part)
            warned |= bool(answer.warnings)
            seen.warnings |= dict.fromkeys(answer.warnings)
            for one, time_ms, value in answer.points:
                # Selectors may overlap.
                if one.series_id in here:
                    continue
                if one.cluster != self.source.cluster and not self.source.foreign:
                    seen.foreign.add(one.cluster)
                    continue
                here.add(one.series_id)
                found.append(one)
                times.append(time_ms)
                values.append(value)
        seen.series |= here
        return _Part(part, direct.batch(self._catalogue, found, times, values), not warned)


def _days(start: datetime, end: datetime) -> Iterator[date]:
    """The UTC days that begin before `end`, a midnight, from that of `start` on."""
    day = start.astimezone(UTC).date()
    while day < end.date():
        yield day
        day += timedelta(days=1)
