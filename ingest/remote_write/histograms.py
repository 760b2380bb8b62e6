"""The native histograms of a request, as the classic series that they are stored as.

Each becomes samples of `_bucket{le=…}`, `_sum` and `_count`, which then go the way of all samples.
A histogram is stored whole or not at all. See docs/native-histograms.md.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ingest.catalogue import Catalogue
from ingest.errors import BadRequestError, BodyTooLargeError, IngestError, InvalidLabelsError
from ingest.remote_write import bucket_labels, message
from ingest.remote_write.bucket_labels import BOUND, METRIC
from ingest.remote_write.judgement import Judged, judge
from ingest.remote_write.native_histogram import ClassicHistogram, classic
from ingest.remote_write.scan import Scan
from ingest.rules import Rules

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Pairs = list[tuple[bytes, bytes]]

MOST_TIMES = 4
"""A request of 2,000 histograms with 160 buckets each, the most that senders put into one, takes
three times the largest body."""


@dataclass(slots=True)
class _Classic:
    """The classic series of the histograms that could be converted, one after the other.

    Attributes:
        owners: places of those histograms.
        lengths: how many series each has become.
        times: ms, of each.
        values: of each series.
        codes: of each series, the place of its suffix and `le` in `kinds`.
        kinds: pairs of suffix and `le`, each once.
        odd: labels of those histograms whose labels are not regular (see `bucket_labels`).
    """

    owners: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    kinds: dict[tuple[str, str | None], int] = field(default_factory=dict)
    odd: dict[int, Pairs] = field(default_factory=dict)

    def add(self, place: int, histogram: ClassicHistogram) -> None:
        """Add a histogram. Its parts are not kept as objects: gc would go through them."""
        self.owners.append(place)
        self.lengths.append(len(histogram.parts))
        self.times.append(histogram.time_ms)
        kinds = self.kinds
        for suffix, bound, value in histogram.parts:
            self.codes.append(kinds.setdefault((suffix, bound), len(kinds)))
            self.values.append(value)

    def by_part(self, of_histograms: Sequence[int]) -> Ints:
        """What is of each histogram, for each of its series."""
        return np.repeat(np.array(of_histograms, np.int64), self.lengths)


@dataclass(slots=True)
class JudgedHistograms:
    """The histograms of a request by what becomes of them.

    Attributes:
        refused: bool[n_histograms].
        stored: bool[n_histograms]; what is neither is left out on purpose.
        parts: their classic series, if there are any.
        refusals: histograms by (cluster, rule broken).
        first: the first rule broken.
    """

    refused: Mask
    stored: Mask
    parts: list[Judged] = field(default_factory=list)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: IngestError | None = None


def judge_histograms(request: Scan, catalogue: Catalogue, rules: Rules) -> JudgedHistograms:
    """Convert and judge every native histogram of a request.

    Raises:
        TooManyEntriesError: converted, they hold more than a request may.
        BodyTooLargeError: the labels of all their series do.
        TooManySeriesError: new series where no more fit.
    """
    count = len(request.histograms)
    done = JudgedHistograms(np.zeros(count, np.bool_), np.zeros(count, np.bool_))
    if not count:
        return done
    places = _places(request)
    found = _convert(request, places, rules, done)
    owner = found.by_part(found.owners)
    _check_size(places, owner, rules)
    judged = judge(_series(request, places, found, owner), catalogue, rules)
    done.first = done.first or judged.first
    done.refusals += _refusals(judged, owner, catalogue, rules)
    done.refused[owner[judged.refused]] = True
    judged.refused |= done.refused[owner]
    done.stored[owner[judged.stored]] = True
    done.parts.append(judged)
    return done


def _places(request: Scan) -> Ints:
    """Of each histogram, where its labels have what changes."""
    series = request.histograms[:, 0]
    places = np.empty((len(series), 6), np.int64)
    starts, ends = request.label_starts[series], request.label_ends[series]
    bucket_labels.places_of_labels(request.data, starts, ends, places)
    return places


def _convert(request: Scan, places: Ints, rules: Rules, done: JudgedHistograms) -> _Classic:
    found = _Classic()
    regular = (places[:, bucket_labels.METRIC_AT] >= 0).tolist()
    for index, (place, start, end) in enumerate(request.histograms.tolist()):
        try:
            labels = None if regular[index] else _labels(request, place)
            histogram = classic(request.body[start:end].tobytes())
        except BadRequestError as error:
            done.refused[index] = True
            done.first = done.first or error
            done.refusals[rules.sender.cluster or "", error.reason] += 1
            continue
        # Each is a series of the request, and many of the lake: samples are what bounds them.
        rules.bounds.check(0, len(found.values) + len(histogram.parts), 0)
        found.add(index, histogram)
        if labels is not None:
            found.odd[index] = labels
    return found


def _check_size(places: Ints, owner: Ints, rules: Rules) -> None:
    """Before memory is taken: long labels can be repeated for thousands of buckets."""
    size = int((places[owner, bucket_labels.END] - places[owner, bucket_labels.START]).sum())
    limit = MOST_TIMES * rules.bounds.label_bytes
    if size > limit:
        raise BodyTooLargeError(size, limit, "labels, written out for each bucket,")


def _series(request: Scan, places: Ints, found: _Classic, owner: Ints) -> Scan:
    """The classic series as a request of their own, with one sample each."""
    count = len(owner)
    kinds, codes = list(found.kinds), np.array(found.codes, np.int64)
    pieces = [text.encode() for suffix, bound in kinds for text in (suffix, bound or "")]
    lengths = np.array([len(piece) for piece in pieces], np.int64)
    ends = np.cumsum(lengths)
    texts = np.stack([ends - lengths, ends], axis=1).reshape(-1, 4)
    letters = np.frombuffer(b"".join(pieces), np.uint8)
    sizes = np.empty(count, np.int64)
    size = bucket_labels.sizes_of_parts(places, owner, codes, texts, sizes)
    odd: dict[int, bytes] = {}
    if found.odd:
        for index, (of, code) in enumerate(zip(owner.tolist(), found.codes, strict=True)):
            if of in found.odd:
                odd[index] = _encoded(found.odd[of], *kinds[code])
    data = np.empty(size + sum(map(len, odd.values())), np.uint8)
    bucket_labels.write_parts(request.data, places, owner, codes, letters, texts, sizes, data)
    data[size:] = np.frombuffer(b"".join(odd.values()), np.uint8)
    label_ends = np.cumsum(sizes)
    for index, labels in odd.items():
        size += len(labels)
        sizes[index], label_ends[index] = len(labels), size
    return Scan(
        data=data,
        label_starts=label_ends - sizes,
        label_ends=label_ends,
        counts=np.ones(count, np.int64),
        time_ms=found.by_part(found.times),
        values=np.array(found.values, np.float64),
        start_ms=None,
        histograms=np.empty((0, 3), np.int64),
        metadata=np.empty((0, 2), np.int64),
        families=None,
        exemplars=0,
        body=data,
    )


def _refusals(
    judged: Judged, owner: Ints, catalogue: Catalogue, rules: Rules
) -> Counter[tuple[str, str]]:
    """Histograms, each once, by the rule that refused its first series."""
    refused = np.flatnonzero(judged.refused)
    histograms, first = np.unique(owner[refused], return_index=True)
    if len(judged.refusals) <= 1:
        return Counter(dict.fromkeys(judged.refusals, len(histograms)))
    # Which rule refused which series is not told: those again, that each histogram has one of.
    chosen = refused[first]
    again = replace(
        judged.request,
        label_starts=judged.request.label_starts[chosen],
        label_ends=judged.request.label_ends[chosen],
        counts=judged.request.counts[chosen],
        time_ms=judged.request.time_ms[chosen],
        values=judged.request.values[chosen],
    )
    return judge(again, catalogue, rules).refusals


def _labels(request: Scan, place: int) -> Pairs:
    start, end = int(request.label_starts[place]), int(request.label_ends[place])
    labels = message.label_pairs(request.data[start:end].tobytes())
    if not any(name == METRIC and value for name, value in labels):
        raise InvalidLabelsError(f"number {place}", "label __name__ is missing")
    if any(name == BOUND for name, _ in labels):
        raise InvalidLabelsError(f"number {place}", "a native histogram cannot have a label `le`")
    return labels


def _encoded(labels: Pairs, suffix: str, bound: str | None) -> bytes:
    """Labels of a part as a series carries them, whatever is odd about them."""
    named = [(name, text + suffix.encode() if name == METRIC else text) for name, text in labels]
    if bound is not None:
        named.append((BOUND, bound.encode()))
    made = message.TimeSeries()
    made.labels.extend(
        message.Label(name=name, value=text).SerializeToString() for name, text in sorted(named)
    )
    return bytes(made.SerializeToString())
