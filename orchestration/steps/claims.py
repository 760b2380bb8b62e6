"""Which detector scores which series, where settings name metrics for some.

Of the detectors with the same `by`, the first whose `metrics` name a metric takes it; those without
`metrics` each score all that is left. So no two of one name, whose anomalies nothing else tells
apart, ever score the same series.
"""

from collections.abc import Collection, Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.detection_settings import DetectorSettings
from orchestration.steps.anomaly_rows import label
from orchestration.steps.panels import SeriesInfo


def claimed(
    series: Sequence[SeriesInfo], chosen: DetectorSettings, among: Sequence[DetectorSettings]
) -> Sequence[SeriesInfo]:
    """The series that a detector scores, in their order.

    Args:
        series: all that are scored at all.
        chosen: the detector, one of `among`.
        among: all detectors of the settings, in their order.
    """
    if all(one.metrics is None for one in among):
        return series
    own = claimed_metrics({one.metric for one in series}, chosen, among)
    return [one for one in series if one.metric in own]


def claimed_metrics(
    metrics: Collection[str], chosen: DetectorSettings, among: Sequence[DetectorSettings]
) -> set[str]:
    """Those of the metrics that a detector scores.

    >>> level = DetectorSettings(name="online_level", metrics="node_.*")
    >>> rest = DetectorSettings(name="window_memory")
    >>> seen = ["node_load1", "up"]
    >>> [sorted(claimed_metrics(seen, one, [level, rest])) for one in (level, rest)]
    [['node_load1'], ['up']]
    """
    if chosen.candidates is not None:
        # What it looks at is for those to say that find its candidates.
        return set(metrics)
    rivals = [one for one in among if one.by == chosen.by and one.metrics is not None]
    if chosen.metrics is None:
        return set(metrics).difference(*(matching(metrics, one.metrics) for one in rivals))
    earlier = rivals[: rivals.index(chosen)]
    mine = matching(metrics, chosen.metrics)
    return mine.difference(*(matching(metrics, one.metrics) for one in earlier))


def scored_by(metric: str, among: Sequence[DetectorSettings]) -> DetectorSettings | None:
    """The first detector that scores the metric series by series; None = no such."""
    alone = (one for one in among if one.by is None)
    return next((one for one in alone if claimed_metrics([metric], one, among)), None)


def scorer(
    metric: str | None, name: str, among: Sequence[DetectorSettings]
) -> DetectorSettings | None:
    """The detector whose anomalies have this name and that scores this metric; None = no such.

    An anomaly of an entity may name no metric: then the first of that name.
    """
    named = [one for one in among if label(one) == name]
    own = (one for one in named if metric and claimed_metrics([metric], one, among))
    return next(own, named[0] if named else None)


def matching(metrics: Iterable[str], pattern: str | None) -> set[str]:
    """The names that a pattern matches as a whole, in the dialect of `include` and `exclude`."""
    names = pa.array(sorted(metrics), pa.string())
    # Arrow finds a part; DuckDB's regexp_full_match, which the other patterns go through, a whole.
    found = pc.match_substring_regex(names, rf"\A(?:{pattern or ''})\z")
    return set(names.filter(found).to_pylist())
