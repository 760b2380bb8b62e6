"""What all clusters show at once is one anomaly: not one for each of them.

It is told of the series whose interval was long enough first, for as long as any of them lasts: of
the row that the lake holds of it, if there is one. What was seen at the peak is that series' own.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.anomaly_rows import EVERYWHERE, LONGEST_INTERVAL, SHARED, Row, thing
from orchestration.steps.carry_on import merge, touches

HELD = """
SELECT * EXCLUDE (date) FROM anomalies
WHERE date >= $first_day AND date <= $last_day AND ("end" >= $since OR state = 'interim')
  AND start < $before AND ends_with(direction, $everywhere)
ORDER BY start, anomaly_id
"""


def told_once(
    snapshot: Snapshot,
    rows: Sequence[Row],
    settings: DetectionSettings,
    between: TimeRange,
    before: datetime,
    final_before: datetime,
) -> list[Row]:
    """The rows, with one for each stretch of time in which series share something.

    Args:
        snapshot: what is held.
        rows: of one pass of the detectors.
        settings: of detection.
        between: what was scored.
        before: rows that began later in the lake do not count: this pass replaces them.
        final_before: an interval that ended before can grow no more.
    """
    kept = [row for row in rows if row[SHARED] is None]
    by_what: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row[SHARED] is not None:
            by_what[row["detector"], row[SHARED].what].append(row)
    if not by_what:
        return kept
    gap = settings.merge_gap * settings.step
    held = _held(snapshot, between, before, gap)
    for own in by_what.values():
        about = [
            row
            for row in held
            if row["detector"] == own[0]["detector"]
            and row["series_id"] in own[0][SHARED].series_id
        ]
        kept += [_one(stretch, about, gap, final_before) for stretch in _stretches(own, gap)]
    return sorted(kept, key=lambda row: (row["start"], row["anomaly_id"]))


def _stretches(rows: Sequence[Row], gap: timedelta) -> list[list[Row]]:
    """The rows of each stretch without a gap."""
    stretches: list[list[Row]] = []
    latest: datetime | None = None
    for row in sorted(rows, key=lambda row: (row["start"], row["anomaly_id"])):
        if latest is None or row["start"] > latest + gap:
            stretches.append([])
            latest = row["end"]
        stretches[-1].append(row)
        latest = max(latest, row["end"])
    return stretches


def _one(
    stretch: Sequence[Row], held: Sequence[Row], gap: timedelta, final_before: datetime
) -> Row:
    """The row of a stretch: the held one's series', or that of the first."""
    end = max(row["end"] for row in stretch)
    whole = {"start": stretch[0]["start"], "end": end}
    begun = next((row for row in held if touches(row, whole, gap)), None)
    first = begun or min(
        stretch, key=lambda row: (row[SHARED].since, row["cluster"], row["series_id"])
    )
    own = [row for row in stretch if thing(row) == thing(first)]
    if own:
        one = own[0]
        for row in own[1:]:
            one = merge(one, row)
    else:
        # The held row's series is well again, others are not: its row goes on as it is.
        one = {**first, **whole, "lake_version": stretch[0]["lake_version"]}
    state = "final" if end < final_before else "interim"
    return {**one, "end": end, "state": state}


def _held(snapshot: Snapshot, between: TimeRange, before: datetime, gap: timedelta) -> list[Row]:
    """What the lake holds of what is shared and may go on, by start."""
    reach = TimeRange(between.start - LONGEST_INTERVAL, between.end)
    params = {
        "first_day": reach.start.date(),
        "last_day": reach.end.date(),
        "since": between.start - gap,
        "before": before,
        "everywhere": EVERYWHERE,
    }
    found: list[Row] = run(snapshot, HELD, params, reach).rows.to_pylist()
    return found
