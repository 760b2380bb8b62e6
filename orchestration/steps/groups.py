"""Which series are scored together, and how many of them at once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.catalogue import POOLED_PREFIX
from orchestration.detection_settings import DetectorSettings
from orchestration.steps.anomaly_rows import Subject
from orchestration.steps.panels import SeriesInfo

OUTSIDE_NAMESPACES = frozenset({"node", "instance"})
"""Entities that belong to no namespace, although series of one may name several."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """All series of one metric, of whatever cluster; a pooled model learns from `sample` of them.

    The sample is no more than fits into memory at once.
    """

    metric: str
    sample: Sequence[SeriesInfo]


@dataclass(frozen=True, slots=True)
class Group:
    """Series that one model scores: many at once each alone, or one entity's together."""

    subject: Subject | None
    series: Sequence[SeriesInfo]
    pooled: Pooled | None = None

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Of its series, in order."""
        return np.array([one.series_id for one in self.series], np.int64)


def series_of(parts: Iterable[Group]) -> list[SeriesInfo]:
    """The series of some groups, each once."""
    return list({one.series_id: one for group in parts for one in group.series}.values())


def groups(series: Sequence[SeriesInfo], chosen: DetectorSettings, block: int) -> Iterator[Group]:
    """Cut the series into what is scored at once: blocks, families, or entities of `chosen.by`."""
    if chosen.name.startswith(POOLED_PREFIX):
        yield from _families(series, block)
        return
    if chosen.by is None:
        for start in range(0, len(series), block):
            yield Group(None, series[start : start + block])
        return
    members: dict[tuple[str, str | None, str], list[SeriesInfo]] = defaultdict(list)
    for one in series:
        name = one.entity[chosen.by]
        if name:
            namespace = None if chosen.by in OUTSIDE_NAMESPACES else one.entity["namespace"]
            members[one.cluster, namespace, name].append(one)
    for (cluster, namespace, name), own in members.items():
        yield Group(Subject(cluster, chosen.by, name, namespace), own)


def _families(series: Sequence[SeriesInfo], block: int) -> Iterator[Group]:
    members: dict[str, list[SeriesInfo]] = defaultdict(list)
    for one in series:
        members[one.metric].append(one)
    for metric, own in members.items():
        kept = min(len(own), block)
        pooled = Pooled(metric, [own[place * len(own) // kept] for place in range(kept)])
        for start in range(0, len(own), block):
            yield Group(None, own[start : start + block], pooled)


def blocks(parts: Iterable[Group], size: int) -> Iterator[list[Group]]:
    """Groups that are read by one query: together about as many series as fit into memory."""
    block: list[Group] = []
    held = 0
    for group in parts:
        if block and held + len(group.series) > size:
            yield block
            block, held = [], 0
        block.append(group)
        held += len(group.series)
    if block:
        yield block
