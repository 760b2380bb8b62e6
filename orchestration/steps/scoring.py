"""What fitted models find: from panels to intervals."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from detectors import Panel, Scores
from detectors.candidates import at_most, candidates
from detectors.families import HARMLESS_SCORE, gate, judged
from detectors.season import Season, Usual, damp, raised
from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.anomaly_rows import Grid
from orchestration.steps.candidates import Screen
from orchestration.steps.discoveries import Looked, Tested, clusters_of, most
from orchestration.steps.groups import series_of
from orchestration.steps.isolation import Failures, rows_of, scored_parts
from orchestration.steps.model import Fitted, Model
from orchestration.steps.panels import read_panel

Float32 = npt.NDArray[np.float32]


def look(
    snapshot: Snapshot,
    block: Sequence[Fitted],
    between: TimeRange,
    settings: DetectionSettings,
    name: str,
    count: Tested,
    failures: Failures | None = None,
    screens: Sequence[Screen] = (),
    only: Screen | None = None,
) -> Iterator[Looked]:
    """Score a block's groups over the range, by fitted models and one query.

    Args:
        snapshot: where the samples are.
        block: what to score, and by what.
        between: the range, in whole columns.
        settings: how wide a column is.
        name: of the detector, as in `anomalies`.
        count: what this detector tests, in all blocks.
        failures: told what could not be scored.
        screens: told what is suspicious, and looking so far back before the range.
        only: where something else has found a series suspicious: nothing else is scored.
    """
    if not block:
        return
    failures = Failures() if failures is None else failures
    before = max((one.hold for one in screens), default=0)
    columns = max(model.context for _, model in block) + before
    reach = TimeRange(between.start - columns * settings.step, between.end)
    whole = read_panel(snapshot, series_of(group for group, _ in block), reach, settings.step)
    for group, model in block:
        panel = rows_of(whole, group.ids).from_column(columns - before - model.context)
        if panel.n_series == 0:
            continue
        by_id = {one.series_id: one for one in group.series}
        newest = panel.n_times - model.before
        for part, raw in scored_parts(model.detector, panel, newest, failures, name, group.subject):
            fit = model.detector.calibration_of(part)
            clusters = clusters_of(group, part.series_id)
            seen, scores = judge(model, part, raw)
            _, loudest = judge(model, part, at_most(raw, fit, most(clusters, count)))
            for screen in screens:
                screen.note(seen, scores, by_id, model)
            seen = seen.from_column(before)
            scores, loudest = scores.from_column(before), loudest.from_column(before)
            if only is not None:
                scores = only.within(seen, scores)
            own = raw.from_column(raw.score.shape[1] - seen.n_times)
            cells = candidates(own, scores, loudest, seen, fit)
            yield Looked(group, model.version, Grid.of(seen), clusters, cells)


def scores_of(model: Model, panel: Panel) -> tuple[Panel, Scores]:
    """The scores of a panel, of which those reach the threshold that are unusual and do harm.

    Args:
        model: fitted.
        panel: with `model.context` columns before those of interest.

    Returns:
        The columns of interest and their scores.
    """
    return judge(model, panel, model.detector.score(panel, panel.n_times - model.before))


def judge(model: Model, panel: Panel, scores: Scores) -> tuple[Panel, Scores]:
    """As `scores_of`, of a panel whose columns after the first `model.before` are scored."""
    first = model.context - model.before
    own = panel.from_column(model.before)
    if scores.expected is not None:
        p_harmless = model.detector.calibration_of(panel).p_values_at(HARMLESS_SCORE)
        if model.season is not None:
            scores = _by_season(model, model.season, panel, scores, p_harmless)
        scores = gate(scores, own, model.limits, p_harmless, model.hold)
    return own.from_column(first), scores.from_column(first)


def _by_season(
    model: Model, season: Season, panel: Panel, scores: Scores, p_harmless: Float32
) -> Scores:
    """The scores of a panel's newest columns, without what is usual, with what never is."""
    usual = Usual.of(panel, season)
    usual = usual.newest(scores.score.shape[1])
    own = panel.from_column(model.before)
    actual, _ = judged(scores, own, model.limits)
    of = usual if scores.driver is None else usual.take(scores.driver[0])
    scores = damp(scores, actual, of, model.look_back, HARMLESS_SCORE, p_harmless)
    return scores if scores.driver is not None else raised(scores, panel, season, usual)
