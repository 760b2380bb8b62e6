"""What fitted models find: from panels to abnormal cells."""

from collections.abc import Iterator, Sequence

from detectors.abnormal_cells import abnormal_cells, at_most
from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.anomaly_rows import Grid
from orchestration.steps.candidates import Screen
from orchestration.steps.discoveries import Tested, clusters_of, most
from orchestration.steps.groups import series_of
from orchestration.steps.isolation import Failures, rows_of, scored_parts
from orchestration.steps.judge import Judge
from orchestration.steps.looked import Looked
from orchestration.steps.model import Fitted
from orchestration.steps.panels import read_panel


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
            judge = Judge(model, part)
            clusters = clusters_of(group, part.series_id)
            scores = judge.of(raw)
            loudest = judge.of(at_most(raw, judge.fit, most(clusters, count)))
            for screen in screens:
                screen.note(judge.seen, scores, by_id, model)
            seen = judge.seen.from_column(before)
            scores, loudest = scores.from_column(before), loudest.from_column(before)
            if only is not None:
                scores = only.within(seen, scores)
            own = raw.from_column(raw.score.shape[1] - seen.n_times)
            cells = abnormal_cells(own, scores, loudest, seen, judge.fit)
            yield Looked(group, model.version, Grid.of(seen), clusters, cells, model)
