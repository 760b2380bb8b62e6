"""How odd abnormal series are, and how many of their siblings show the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors import Panel
from detectors.intervals import STOP_SCORE
from detectors.siblings import SHARED_CONTEXT, STEADINESS, Candidates, oddness, shared_by
from orchestration.steps.isolation import Failures, rows_of, scored_parts
from orchestration.steps.judge import Judge
from orchestration.steps.looked import Looked
from orchestration.steps.panels import SeriesInfo
from orchestration.steps.siblings.members import Members, Same

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A series with intervals: in which group, which row of it, and which columns are abnormal."""

    place: int
    row: int
    series: SeriesInfo
    columns: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a series shares, with some columns before the range.

    Attributes:
        asked: the series.
        same: what it is in all clusters.
        siblings: all series of that.
        odd: float64 `[n_times]`, see `Candidates`.
        wanted: bool `[n_times]`, the columns to be judged.
        kept: bool `[n_times]`, see `Candidates`.
        memory: see `Candidates`.
        clusters: int32 `[n_times]`, with how many clusters it shares a column (`shared_by`).
    """

    asked: Asked
    same: Same
    siblings: frozenset[int]
    odd: Float64
    wanted: Bool
    kept: Bool
    memory: int
    clusters: Int32


@dataclass(frozen=True, slots=True)
class Lead:
    """Columns that are judged before the range, and those before them that are looked back on."""

    before: int
    context: int


def lead_of(looked: Sequence[Looked], asked: Mapping[int, Asked]) -> Lead:
    """What the models of these series look back on."""
    models = [looked[one.place].model for one in asked.values()]
    memory = max(model.detector.context + 1 for model in models if model)
    context = max(model.context for model in models if model)
    return Lead(max(memory, STEADINESS), max(context, SHARED_CONTEXT))


def rescored(own: Looked, panel: Panel, asked: Mapping[int, Asked], lead: Lead) -> Iterator[Answer]:
    """How odd the columns of a group's series are, those before the range as well.

    Args:
        own: the group.
        panel: of those of its series that were asked, from `Lead.context` and `Lead.before` on.
        asked: by series.
        lead: what the panel begins with.
    """
    model = own.model
    assert model is not None  # noqa: S101 - bug: nothing of it was asked
    part = panel.from_column(lead.context - model.context)
    newest = part.n_times - model.before
    lost = Failures()  # Told already, or told when they are scored next.
    for some, raw in scored_parts(model.detector, part, newest, lost, "", None):
        scores = Judge(model, some).of(raw)
        if scores.expected is None:
            continue
        odd = oddness(rows_of(panel, some.series_id).values, scores.expected)
        kept = scores.score >= STOP_SCORE
        for line, series_id in enumerate(some.series_id.tolist()):
            one = asked[series_id]
            wanted = np.zeros(kept.shape[1], np.bool_)
            wanted[lead.before + one.columns] = True
            yield Answer(
                asked=one,
                same=Same("", None, "", ()),
                siblings=frozenset(),
                odd=odd[line],
                wanted=wanted,
                kept=kept[line],
                memory=model.detector.context + 1,
                clusters=np.zeros(kept.shape[1], np.int32),
            )


def judged(
    drafts: Sequence[Answer],
    values: npt.NDArray[np.float32],
    block: Members,
    own: Int64,
    plain: Panel,
) -> Int32:
    """With how many clusters columns are shared, see `shared_by`.

    Args:
        drafts: what is odd.
        values: float32, of each what may be shared: its own, or of what may be its cause.
        block: the groups of those values.
        own: int64, the row of each in the block.
        plain: the block's rows.
    """
    groups = block.group[own]
    candidates = Candidates(
        values,
        np.stack([one.odd for one in drafts]),
        np.stack([one.wanted for one in drafts]),
        np.stack([one.kept for one in drafts]),
        np.array([one.memory for one in drafts], np.int64),
        own,
        block.bounds[groups],
        block.bounds[groups + 1],
    )
    return shared_by(candidates, plain.values)
