"""What a detector cannot learn or score is left out and told; the rest goes on.

A detector that raises does so for one series of thousands, as a rule: rows do not depend on each
other, so the panel is halved until the row is found. Where nearly all raise, that is no longer
looked for.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from detectors import Detector, DetectorsError, Panel, Scores
from detectors.errors import NoTrainingDataError
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.look import Finder, Look

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

MOST_SINGLE = 16
"""Rows of one panel that are isolated one by one; a detector that fails on more has another fault,
and what is left of the panel is given up together."""

MOST_SHOWN = 5
"""Failures that are told in full; of the rest the number."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that a detector could not learn or score.

    Attributes:
        detector: its name in `anomalies`.
        subject: the series by its id, or the entity.
        why: what it raised.
    """

    detector: str
    subject: str
    why: str


@dataclass
class Failures:
    """Collects failures; each subject once a detector."""

    by_subject: dict[tuple[str, str], Failure] = field(default_factory=dict)

    def add(self, detector: str, subjects: Sequence[object], why: str) -> None:
        """Note that a detector failed on these."""
        for subject in map(str, subjects):
            self.by_subject.setdefault((detector, subject), Failure(detector, subject, why))

    def merge(self, other: "Failures") -> None:
        """Add another's."""
        self.by_subject |= {
            key: one for key, one in other.by_subject.items() if key not in self.by_subject
        }

    @property
    def counts(self) -> Mapping[str, int]:
        """How many subjects each detector failed on."""
        return Counter(detector for detector, _ in self.by_subject)

    @property
    def first(self) -> tuple[Failure, ...]:
        """The first few of each detector."""
        shown: Counter[str] = Counter()
        found = []
        for one in self.by_subject.values():
            shown[one.detector] += 1
            if shown[one.detector] <= MOST_SHOWN:
                found.append(one)
        return tuple(found)

    def log(self, but_not: "Failures | None" = None) -> None:
        """Say what failed, in one line a detector; not what had failed already."""
        old = but_not.by_subject if but_not else {}
        new = Failures({key: one for key, one in self.by_subject.items() if key not in old})
        for detector, count in new.counts.items():
            own = [one for one in new.first if one.detector == detector]
            logger.warning(
                "%s cannot score %d series or entities, the rest goes on; first %s: %s",
                detector,
                count,
                own[0].subject,
                own[0].why,
                extra={
                    "detector": detector,
                    "failed": count,
                    "subjects": [one.subject for one in own],
                },
            )


def fitted_parts(
    make: Callable[[], Detector], panel: Panel, failures: Failures, detector: str, subject: object
) -> Iterator[tuple[Detector, Panel]]:
    """Fit on a panel, or on the parts of it that can be learned from.

    Args:
        make: returns an unfitted detector.
        panel: to learn from.
        failures: is told what cannot.
        detector: its name in `anomalies`.
        subject: the entity that the panel is of; None = each row is a series.

    Yields:
        Fitted detectors and the panels that they were fitted on: one, unless something failed.
    """
    single = [0]

    def act(part: Panel) -> Detector:
        return make().fit(part)

    for part, found in _halving(act, panel, failures, detector, subject, single):
        told = getattr(found, "failures_", {})
        for one, why in told.items():
            failures.add(detector, [subject if subject is not None else one], why)
        yield found, part


def scored_parts(
    model: Detector,
    panel: Panel,
    newest: int,
    failures: Failures,
    detector: str,
    subject: object,
) -> Iterator[tuple[Panel, Scores]]:
    """Score the newest columns of a panel, or of what parts of it can be; see `fitted_parts`."""

    def act(part: Panel) -> Scores:
        return model.score(part, newest)

    for part, scores in _halving(act, panel, failures, detector, subject, [0]):
        for one, why in scores.failures.items():
            failures.add(detector, [subject if subject is not None else one], why)
        yield part, scores


def found_by(finder: Finder, look: Look, failures: Failures) -> list[Row]:
    """What a finder finds; nothing where it raises, for one odd line must not end detection."""
    try:
        return finder.find(look)
    except Exception as error:  # noqa: BLE001 - told, and tried again at the next tick
        why = f"{type(error).__name__}: {error}"
        for detector in finder.detectors:
            failures.add(detector, ["whatever it looks at"], why)
        return []


def _halving(
    act: Callable[[Panel], Result],
    panel: Panel,
    failures: Failures,
    detector: str,
    subject: object,
    single: list[int],
) -> Iterator[tuple[Panel, Result]]:
    try:
        yield panel, act(panel)
    except NoTrainingDataError as error:
        logger.info("not fitted", extra={"subject": str(subject), "why": str(error)})
    except Exception as error:  # noqa: BLE001 - a user's detector may raise anything
        why = (
            str(error) if isinstance(error, DetectorsError) else f"{type(error).__name__}: {error}"
        )
        whole = subject is not None or isinstance(error, DetectorsError)
        if whole or panel.n_series == 1 or single[0] >= MOST_SINGLE:
            single[0] += 1
            failures.add(detector, [subject] if subject else panel.series_id.tolist(), why)
            return
        middle = panel.n_series // 2
        for rows in (slice(0, middle), slice(middle, None)):
            part = Panel(panel.values[rows], panel.start, panel.step, panel.series_id[rows])
            yield from _halving(act, part, failures, detector, subject, single)


def rows_of(panel: Panel, ids: np.ndarray) -> Panel:
    """The rows of these series."""
    rows = np.flatnonzero(np.isin(panel.series_id, ids))
    if len(rows) == panel.n_series:
        return panel
    return Panel(panel.values[rows], panel.start, panel.step, panel.series_id[rows])
