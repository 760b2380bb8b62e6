"""What is told of all that one detector has scored: the fleet's budget, kept by false discovery.

Where nothing is wrong, a detector raises the false alerts that its share of the budget grants
(`orchestration.steps.budget`). Where much of a cluster is wrong at once, thresholds come down for
that column, so that the weaker signs of the same fault are told as well (`detectors.discovery`).
Clusters are judged apart: what is told of one does not depend on which others are scored with it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from detectors.abnormal_cells import AbnormalCells
from detectors.discovery import most_relief, relief
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.anomaly_rows import Found
from orchestration.steps.groups import Group
from orchestration.steps.looked import Looked
from orchestration.steps.siblings.shared import Sharing

Float64 = npt.NDArray[np.float64]

Tested = Mapping[str, int]
"""How many rows are tested in each column, by cluster."""


def tested(groups: Iterable[Group]) -> Tested:
    """The rows of scores that these groups have."""
    count: Counter[str] = Counter()
    for group in groups:
        if group.subject is None:
            count.update(one.cluster for one in group.series)
        else:
            count[group.subject.cluster] += 1
    return count


def clusters_of(group: Group, series_id: npt.NDArray[np.int64]) -> list[str]:
    """The cluster of each row of a group's scores, of these series of a panel."""
    if group.subject is not None:
        return [group.subject.cluster]
    known = {one.series_id: one.cluster for one in group.series}
    return [known[one] for one in series_id.tolist()]


def most(clusters: Sequence[str], count: Tested) -> Float64:
    """How far thresholds of these rows come down at most, as times their rate."""
    by_cluster = {cluster: most_relief(number) for cluster, number in count.items()}
    return np.array([by_cluster.get(cluster, 1.0) for cluster in clusters])


def told(
    looked: Sequence[Looked],
    count: Tested | None,
    settings: DetectionSettings,
    sharing: Sharing | None = None,
) -> Iterator[Found]:
    """The intervals of all that one detector has scored of a range.

    Those of what a series shares with its siblings in other clusters are made apart, and say so.

    Args:
        looked: of the same columns.
        count: what was tested; None = thresholds stay where they are.
        settings: what makes an interval.
        sharing: knows the siblings; None = each cluster is told for itself.
    """
    cells = [
        one.cells if times is None else one.cells.raised(times)
        for one, times in zip(looked, _times(looked, count), strict=True)
    ]
    shares = sharing.of(looked, cells) if sharing else {}
    for place, (one, own) in enumerate(zip(looked, cells, strict=True)):
        if place not in shares:
            yield from _found(one, own, settings)
            continue
        yield from _found(one, own.take(shares[place].alone), settings)
        shared = own.take(shares[place].told)
        for found in _found(one, shared, settings):
            yield shares[place].say(found, shared, settings.min_length)


def _found(one: Looked, cells: AbnormalCells, settings: DetectionSettings) -> Iterator[Found]:
    intervals, peaks = cells.intervals(settings.min_length, settings.merge_gap)
    by_id = {series.series_id: series for series in one.group.series}
    yield from anomaly_rows.found(
        cells, peaks, intervals, one.grid, by_id, one.group.subject, one.model_version
    )


def _times(looked: Sequence[Looked], count: Tested | None) -> Iterable[Float64 | None]:
    """How many times their rate the thresholds of the cells stand at."""
    if not looked or count is None:
        return [None] * len(looked)
    n_times = looked[0].cells.n_times
    place = {cluster: index for index, cluster in enumerate(count)}
    families = [
        np.array([place[cluster] for cluster in one.clusters], np.int64)[one.cells.row] * n_times
        + one.cells.column
        for one in looked
    ]
    times = relief(
        np.concatenate(families),
        np.concatenate([one.cells.rarity for one in looked]),
        np.repeat(np.array(list(count.values()), np.int64), n_times),
    )
    ends = np.cumsum([len(own) for own in families])
    return np.split(times, ends[:-1])
