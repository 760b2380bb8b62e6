"""What a detector has scored of a range, and which of it may be told."""

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.abnormal_cells import AbnormalCells
from orchestration.steps.anomaly_rows import Grid
from orchestration.steps.groups import Group
from orchestration.steps.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A group that was scored, and which of its cells may be told.

    Attributes:
        group: what was scored.
        model_version: of what scored it.
        grid: of the panel.
        clusters: the cluster of each row of the scores.
        cells: that may be told.
        model: what scored it; None = it cannot be asked again.
    """

    group: Group
    model_version: str
    grid: Grid
    clusters: Sequence[str]
    cells: AbnormalCells
    model: Model | None = None
