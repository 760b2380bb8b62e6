"""What a model may learn: series with history enough, without the stretches flagged before."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import xxhash

from detectors import Panel
from lake import TimeRange
from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros
from orchestration.detection_settings import DetectorSettings
from orchestration.steps.anomaly_rows import LONGEST_INTERVAL, Thing, label, thing
from orchestration.steps.panels import LONGEST_GAP

MOST_LEFT_OUT = 0.5
"""A level that has shifted for good is one anomaly that never ends. Once it is over half of a
series' training data, all of it is learned: else no model would ever know the new level."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """Stretches of a training range that one detector has flagged, in µs, by thing.

    `digest` stands for all of them in the name of a model.
    """

    stretches: Mapping[Thing, Sequence[tuple[int, int]]]
    digest: str


FLAGGED = f"""
SELECT cluster, detector, series_id, {", ".join(ENTITY_COLUMNS)},
       greatest(epoch_us(start), $from_us) AS low, least(epoch_us("end"), $to_us) AS high
FROM anomalies
WHERE date >= $first_day AND date <= $last_day AND detector = $detector
  AND start < $end AND "end" > $start
ORDER BY ALL
"""  # noqa: S608 - column names are ours


def flagged(snapshot: Snapshot, chosen: DetectorSettings, trained: TimeRange) -> Flagged:
    """What the lake holds of a detector's anomalies in a training range: one query."""
    reach = TimeRange(trained.start - LONGEST_INTERVAL, trained.end)
    params = {
        "first_day": reach.start.date(),
        "last_day": reach.end.date(),
        "start": trained.start,
        "end": trained.end,
        "from_us": to_micros(trained.start),
        "to_us": to_micros(trained.end),
        "detector": label(chosen),
    }
    stretches: dict[Thing, list[tuple[int, int]]] = defaultdict(list)
    for row in run(snapshot, FLAGGED, params, reach).rows.to_pylist():
        stretches[thing(row)].append((row["low"], row["high"]))
    if not stretches:
        return Flagged({}, "")
    return Flagged(
        stretches, xxhash.xxh3_64_hexdigest(json.dumps(list(stretches.items())).encode())
    )


def learnable(panel: Panel, things: Sequence[Thing], known: Flagged, least: timedelta) -> Panel:
    """The panel with NaN for what no model may learn.

    A row with less than `least` from its first to its last column goes altogether: a model of a
    young series finds everything new. It may be short by what lies between two scrapes at either
    end, so that `least` may be as long as the panel.

    Args:
        panel: of the training range.
        things: of each row, what its anomalies are filed under.
        known: what is left out, except where it is over `MOST_LEFT_OUT` of a row.
        least: history that a series needs.
    """
    has = np.isfinite(panel.values)
    spans = np.where(
        has.any(axis=1), panel.n_times - has[:, ::-1].argmax(axis=1) - has.argmax(axis=1), 0
    )
    needed = (least - 2 * LONGEST_GAP) / (panel.step * MICROSECOND)
    out = flagged_cells(panel, things, known) & has
    too_much = out.sum(axis=1) > MOST_LEFT_OUT * has.sum(axis=1)
    out[too_much] = False
    out |= (spans < needed)[:, None]
    if not out.any():
        return panel
    values = np.where(out, np.float32(np.nan), panel.values)
    return Panel(values, panel.start, panel.step, panel.series_id)


def flagged_cells(panel: Panel, things: Sequence[Thing], known: Flagged) -> npt.NDArray[np.bool_]:
    """Which cells of a panel lie in flagged stretches, `[n_series, n_times]`.

    Args:
        panel: whose.
        things: of each row, what its anomalies are filed under.
        known: the stretches.
    """
    spans = [
        (row, low, high)
        for row, own in enumerate(things)
        for low, high in known.stretches.get(own, ())
    ]
    if not spans:
        return np.zeros(panel.values.shape, np.bool_)
    rows, lows, highs = np.array(spans, np.int64).T
    # One step up where a stretch begins, one down where it ends: above 0 is within.
    edges = np.zeros((panel.n_series, panel.n_times + 1), np.int32)
    first = np.clip((lows - panel.start) // panel.step, 0, panel.n_times)
    end = np.clip(-((panel.start - highs) // panel.step), 0, panel.n_times)
    np.add.at(edges, (rows, first), 1)
    np.add.at(edges, (rows, np.maximum(first, end)), -1)
    return np.cumsum(edges[:, :-1], axis=1) > 0
