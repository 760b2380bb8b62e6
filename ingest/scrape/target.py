"""One target: from what it exposes to remote-write bodies, and the series that end.

A series that was there and is not, and every series of a target that fails, gets a stale marker:
readers then know that it ended, and do not take its last value for the present one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.errors import ExpositionError, IngestError, SourceError
from ingest.families import Metadata
from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema
from ingest.remote_write.decode import STALE_NAN_BITS
from ingest.scrape.exposition import NO_TIME, Exposition, Parser, has_more_than
from ingest.scrape.fetch import Reply
from ingest.scrape.grammar import Labels
from ingest.scrape.labels import encode, merge
from ingest.scrape.source import ScrapeSource

MAX_SERIES, MAX_METADATA = 10_000, 2_000
"""Of one body; a receiver's own limits are higher."""

SPARE_TEXTS = 10_000
"""Texts in the cache beside those of the last scrape, before it is emptied."""

STALE = np.array([STALE_NAN_BITS], np.uint64).view(np.float64)[0]

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(eq=False, slots=True)
class Known:
    """A series of the target, by its labels as they are sent."""

    labels: list[bytes]


@dataclass(slots=True)
class Scrape:
    """What one scrape brings, to be sent; `Target.sent` is owed once it is.

    Attributes:
        bodies: packed remote-write bodies.
        ok: whether the target answered as it should.
        samples: samples exposed.
        stale: series that ended.
        duplicates: samples left out, for their series was there already.
        exemplars: exemplars dropped.
        live: the series that are there now.
        described: the descriptions that go with it.
    """

    bodies: list[bytes]
    ok: bool
    samples: int = 0
    stale: int = 0
    duplicates: int = 0
    exemplars: int = 0
    live: set[Known] = field(default_factory=set)
    described: dict[str, Metadata] = field(default_factory=dict)


class Target:
    """Remembers one target's series between scrapes. For one thread at a time.

    Args:
        source: the job it is of.
        name: as the job's settings name it.
    """

    def __init__(self, source: ScrapeSource, name: str) -> None:
        self.source = source
        self.url, instance = source.address(name)
        self.labels = {
            "instance": instance,
            **source.labels,
            "job": source.job,
            "cluster": source.cluster,
        }
        self._parser = Parser(self._know)
        self._series: dict[bytes, Known] = {}
        self._live: set[Known] = set()
        self._described: dict[str, Metadata] = {}
        self._reports = {
            name: Known(encode({"__name__": name, **self.labels}))
            for name in ("up", "scrape_duration_seconds", "scrape_samples_scraped",
                         "scrape_series_added")
        }  # fmt: skip

    def answered(self, reply: Reply, at_ms: int, seconds: float) -> Scrape:
        """A scrape that came back.

        Args:
            reply: what the target exposes.
            at_ms: when the scrape began: the time of samples that state none.
            seconds: how long it took.

        Raises:
            ExpositionError: it is no exposition.
            SourceError: it exposes too many samples.
        """
        most = self.source.max_samples
        if has_more_than(most, reply.body):
            raise SourceError(self.url, f"over {most} samples, at most `max_samples` are accepted")
        try:
            found = self._parser.parse(reply.body, reply.openmetrics)
            if reply.openmetrics and not found.ended:
                raise ExpositionError(reply.body.count(b"\n") + 1, b"", "ends without # EOF")
        except IngestError:
            # What a target exposes that is not stored must not fill the memory.
            self._forget()
            raise
        return self._scrape(found, at_ms, seconds)

    def failed(self, at_ms: int, seconds: float) -> Scrape:
        """A scrape that did not come back, or came back wrong: the series end."""
        nothing: Exposition[Known] = Exposition([], np.empty(0), np.empty(0, np.int64), 0, True)
        scrape = self._scrape(nothing, at_ms, seconds, up=0.0)
        scrape.ok = False
        return scrape

    def sent(self, scrape: Scrape) -> None:
        """The scrape is stored: what comes next is compared with it."""
        self._live = scrape.live
        self._described |= scrape.described
        if len(self._parser) > 2 * len(self._live) + SPARE_TEXTS:
            self._forget()

    def _forget(self) -> None:
        """Keep only the series that are there."""
        self._parser.forget()
        self._series = {b"".join(one.labels): one for one in self._live}

    def _know(self, labels: Labels) -> Known:
        encoded = encode(merge(labels, self.labels, self.source.honor_labels))
        # A target that orders labels at random names one series by many texts.
        return self._series.setdefault(b"".join(encoded), Known(encoded))

    def _scrape(
        self, found: Exposition[Known], at_ms: int, seconds: float, up: float = 1.0
    ) -> Scrape:
        honor = self.source.honor_timestamps
        time_ms = found.time_ms if honor else np.full(len(found.series), NO_TIME, np.int64)
        series, times, values = _once(found.series, time_ms, found.values)
        # Prometheus does not watch series that bring their own times: they may pause.
        live = {one for one, at in zip(series, times.tolist(), strict=True) if at == NO_TIME}
        ended = self._live - live
        reports = (up, seconds, float(len(found.series)), float(len(live - self._live)))
        rows = [*series, *ended, *self._reports.values()]
        all_times = np.full(len(rows), at_ms, np.int64)
        all_times[: len(series)] = np.where(times == NO_TIME, at_ms, times)
        all_values = np.concatenate([values, np.full(len(ended), STALE), reports])
        new = {
            family: one
            for family, one in self._parser.metadata.items()
            if up and self._described.get(family) != one
        }
        described = dict(list(new.items())[:MAX_METADATA])
        return Scrape(
            bodies=_bodies(rows, all_times, all_values, list(described.values())),
            ok=True,
            samples=len(series),
            stale=len(ended),
            duplicates=len(found.series) - len(series),
            exemplars=found.exemplars,
            live=live,
            described=described,
        )


def _once(series: list[Known], time_ms: Ints, values: Floats) -> tuple[list[Known], Ints, Floats]:
    """Without samples whose series and time was there before; the first stays, as in Prometheus."""
    points = list(zip(series, time_ms.tolist(), strict=True))
    if len(set(points)) == len(points):
        return series, time_ms, values
    first = sorted({point: place for place, point in reversed(list(enumerate(points)))}.values())
    return [series[place] for place in first], time_ms[first], values[first]


def _bodies(
    rows: Sequence[Known], time_ms: Ints, values: Floats, described: list[Metadata]
) -> list[bytes]:
    bodies = []
    for start in range(0, len(rows), MAX_SERIES):
        part = slice(start, start + MAX_SERIES)
        n_rows = len(rows[part])
        payload = message.build(
            [one.labels for one in rows[part]],
            np.ones(n_rows, np.int64),
            time_ms[part],
            values[part],
        )
        if start == 0:
            # Protobuf messages that stand one behind the other are one.
            payload += _metadata(described)
        bodies.append(message.pack(payload))
    return bodies


def _metadata(described: list[Metadata]) -> bytes:
    request = schema.WriteRequest()  # type: ignore[attr-defined]
    for one in described:
        request.metadata.add(
            type=one.kind,
            metric_family_name=one.family.encode(),
            help=one.help.encode(),
            unit=one.unit.encode(),
        )
    return bytes(request.SerializeToString())
