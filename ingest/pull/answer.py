"""A matrix, as `/api/v1/query_range` answers it, as arrays.

Native histograms come as ranges with counts. They become the classic histogram that says the same,
as those that are pushed do.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.remote_write.bounds import le_text
from ingest.series import Series, identify

Points = tuple[Series, npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""A series, its times in ms since 1970, its values."""

CLOSED = 3
"""Rule of a bucket that holds both its bounds: that around zero."""

MOST_TOLD = 500
"""Characters of a warning that are kept."""

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source says of a range.

    Attributes:
        points: the series, with their points.
        warnings: why it may not be all; an answer with any must not stand for what there is.
    """

    points: list[Points]
    warnings: tuple[str, ...] = ()


def read(answer: dict[str, Any], cluster: str) -> Answer:
    """The whole answer, of which the status is known to be success.

    >>> read({"isPartial": True, "data": {"result": []}}, "eu").warnings
    ('the answer is partial',)

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError, InvalidLabelsError: as
            `points`.
    """
    # Prometheus and Thanos warn of what they could not read; VictoriaMetrics says `isPartial`.
    told = tuple(str(one)[:MOST_TOLD] for one in answer.get("warnings") or ())
    if answer.get("isPartial"):
        told += ("the answer is partial",)
    return Answer(points(answer["data"]["result"], cluster), told)


def points(result: list[Any], cluster: str) -> list[Points]:
    """Every series of a matrix.

    Args:
        result: `data.result` of the answer.
        cluster: cluster of series that name none.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: it is no matrix.
        InvalidLabelsError: a series without a name: an expression was asked for, not a selector.
    """
    found: list[Points] = []
    for entry in result:
        if entry.get("histograms"):
            found.extend(_histogram(entry["metric"], entry["histograms"], cluster))
        if entry.get("values") or not entry.get("histograms"):
            found.append(_floats(entry["metric"], entry.get("values", []), cluster))
    return found


def _floats(metric: Labels, values: list[Any], cluster: str) -> Points:
    return (
        identify(metric.items(), cluster),
        np.array([_ms(at) for at, _ in values], np.int64),
        np.array([float(value) for _, value in values], np.float64),
    )


def _histogram(metric: Labels, samples: list[Any], cluster: str) -> Iterator[Points]:
    name = metric.get("__name__", "")
    parts: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for at, histogram in samples:
        time_ms, count = _ms(at), float(histogram["count"])
        parts["_count", ""].append((time_ms, count))
        parts["_sum", ""].append((time_ms, float(histogram["sum"])))
        below = 0.0
        for bound, below in _cumulated(histogram.get("buckets", [])):
            parts["_bucket", le_text(bound)].append((time_ms, below))
        # Float counts need not add up: a histogram must not fall.
        parts["_bucket", "+Inf"].append((time_ms, max(count, below)))
    for (suffix, le), held in parts.items():
        labels = {**metric, "__name__": name + suffix} if name else dict(metric)
        if le:
            labels["le"] = le
        yield (
            identify(labels.items(), cluster),
            np.array([at for at, _ in held], np.int64),
            np.array([value for _, value in held], np.float64),
        )


def _cumulated(buckets: list[Any]) -> Iterator[tuple[float, float]]:
    """Bounds, rising, and how much is up to each; `docs/native-histograms.md` says which bounds.

    >>> zero, one, other = [3, "-0.1", "0.1", "1"], [0, "1", "2", "3"], [0, "8", "16", "2"]
    >>> list(_cumulated([zero, one, other]))
    [(0.1, 1.0), (1.0, 1.0), (2.0, 4.0), (8.0, 4.0), (16.0, 6.0)]

    Args:
        buckets: (rule of its bounds, lower, upper, count), from the lowest; empty ones are not
            told.
    """
    below, reached = 0.0, -math.inf
    for rule, lower, upper, held in buckets:
        # Without the lower bound after a gap, a quantile would spread the bucket over the gap.
        first_and_zero = rule == CLOSED and reached == -math.inf
        if reached < (start := float(lower)) and not first_and_zero:
            yield start, below
        below += float(held)
        reached = float(upper)
        if reached < math.inf:
            yield reached, below


def _ms(at: float) -> int:
    return round(float(at) * 1000)
