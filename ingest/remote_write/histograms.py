"""The native histograms of a request, as the classic series that they are stored as.

Each becomes samples of `_bucket{le=…}`, `_sum` and `_count`, which then go the way of all samples.
A histogram is stored whole or not at all. See docs/native-histograms.md.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.catalogue import Catalogue
from ingest.errors import BadRequestError, IngestError, InvalidLabelsError
from ingest.remote_write import message
from ingest.remote_write.judgement import Judged, judge
from ingest.remote_write.native_histogram import ClassicHistogram, classic
from ingest.remote_write.scan import Scan, scan
from ingest.rules import Rules

Mask = npt.NDArray[np.bool_]

METRIC, BOUND = b"__name__", b"le"


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
        TooManySeriesError: new series where no more fit.
    """
    count = len(request.histograms)
    done = JudgedHistograms(np.zeros(count, np.bool_), np.zeros(count, np.bool_))
    if not count:
        return done
    # Each is a series of the request, and many of the lake: samples are what bounds them.
    bounds = replace(rules.bounds, series=rules.bounds.samples)
    made, owners = message.WriteRequest(), list[int]()
    for index, (place, start, end) in enumerate(request.histograms.tolist()):
        try:
            labels = _labels(request, place)
            histogram = classic(request.body[start:end].tobytes())
        except BadRequestError as error:
            done.refused[index] = True
            done.first = done.first or error
            done.refusals[rules.sender.cluster or "", error.reason] += 1
        else:
            bounds.check(0, len(owners) + len(histogram.parts), 0)
            owners.extend([index] * _write(made, labels, histogram))
    payload = np.frombuffer(made.SerializeToString(), np.uint8)
    parts = scan(payload, bounds)
    assert parts is not None  # noqa: S101 - written by ourselves, in order
    judged = judge(parts, catalogue, rules)
    owner = np.array(owners, np.int64)
    done.refused[owner[judged.refused]] = True
    done.first = done.first or judged.first
    for key in judged.refusals:
        done.refusals[key] += len(np.unique(owner[judged.refused]))
    judged.refused |= done.refused[owner]
    done.stored[owner[judged.stored]] = True
    done.parts.append(judged)
    return done


def _labels(request: Scan, place: int) -> list[tuple[bytes, bytes]]:
    start, end = int(request.label_starts[place]), int(request.label_ends[place])
    labels = message.label_pairs(request.data[start:end].tobytes())
    if not any(name == METRIC and value for name, value in labels):
        raise InvalidLabelsError(f"number {place}", "label __name__ is missing")
    if any(name == BOUND for name, _ in labels):
        raise InvalidLabelsError(f"number {place}", "a native histogram cannot have a label `le`")
    return labels


def _write(made: Any, labels: list[tuple[bytes, bytes]], histogram: ClassicHistogram) -> int:
    """Add the classic series of a histogram to a request; how many they are."""
    for suffix, bound, value in histogram.parts:
        named = [
            (name, text + suffix.encode() if name == METRIC else text) for name, text in labels
        ]
        if bound is not None:
            named.append((BOUND, bound.encode()))
        one = made.timeseries.add()
        one.labels.extend(
            message.Label(name=name, value=text).SerializeToString() for name, text in sorted(named)
        )
        one.samples.add(value=value, timestamp=histogram.time_ms)
    return len(histogram.parts)
