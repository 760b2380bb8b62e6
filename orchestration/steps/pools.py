"""One model for all series of a metric: fitted once, then given to whatever series are there."""

from collections.abc import Callable, Iterator

from detectors import Detector, Panel
from detectors.borrowed import PooledDetector
from orchestration.steps.groups import Group
from orchestration.steps.isolation import Failures, fitted_parts


class Pools:
    """The models of one detector's families, between two refits."""

    def __init__(self) -> None:
        self._by_metric: dict[str, PooledDetector] = {}

    def fitted(
        self,
        group: Group,
        make: Callable[[], Detector],
        panel: Panel,
        read_sample: Callable[[], Panel],
        failures: Failures,
        name: str,
    ) -> Iterator[tuple[Detector, Panel]]:
        """The family's model for a group of its series, fitted first if there is none yet.

        Args:
            group: series of one family.
            make: returns an unfitted detector.
            panel: the group's history.
            read_sample: reads the history of the family's sample, where the group is only a part.
            failures: told why there is no model.
            name: of the detector, as in `anomalies`.

        Yields:
            The detector with these rows, and the panel; nothing where there is no model.
        """
        assert group.pooled is not None  # noqa: S101 - groups of others are not asked for
        metric = group.pooled.metric
        if metric not in self._by_metric:
            alone = len(group.pooled.sample) == len(group.series)
            sample = panel if alone else read_sample()
            for found, _ in fitted_parts(make, sample, failures, name, metric):
                # Too little to learn from today may be enough when more series have come.
                if isinstance(found, PooledDetector) and found.has_learned:
                    self._by_metric[metric] = found
        pool = self._by_metric.get(metric)
        if pool is not None:
            yield pool.adopt(panel), panel
