"""The life of an open interval: fresh rows merged into those that the lake holds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.anomaly_rows import LONGEST_INTERVAL, Row, Thing, thing


@dataclass(frozen=True, slots=True)
class Carried:
    """The rows to write, and when the oldest interval began that may go on; None = none may."""

    rows: list[Row]
    open_since: datetime | None


RECENT = """
SELECT * EXCLUDE (date) FROM anomalies
WHERE date >= $first_day AND date <= $last_day AND ("end" >= $since OR state = 'interim')
ORDER BY start, anomaly_id
"""


def carry_on(
    snapshot: Snapshot,
    fresh: list[Row],
    between: TimeRange,
    lake_version: int,
    settings: DetectionSettings,
    open_since: datetime | None = None,
) -> Carried:
    """Merge fresh rows into the intervals that the lake holds; give the rows to write.

    A fresh interval that overlaps or nearly follows a held one of the same thing and detector is
    its continuation: it keeps id and start, and the higher peak. Where it bridges several held
    ones, the first takes all in; what was seen stays, so the others end as they are. An open
    interval that nothing continues, and that is too old for anything to, becomes final. What did
    not change is not written again.

    Args:
        snapshot: what is held.
        fresh: by start.
        between: what was scored.
        lake_version: of the samples that were scored.
        settings: how far apart intervals may be and still be one.
        open_since: no open interval is older; by default `LONGEST_INTERVAL` is looked through.
    """
    gap = settings.merge_gap * settings.step
    since = between.start - gap
    back_to = between.start - LONGEST_INTERVAL
    if open_since is not None:
        # What is final and touches may have begun earlier than what is open.
        back_to = max(back_to, min(open_since, since - 2 * settings.history))
    held = _held(snapshot, TimeRange(back_to, between.end), since)
    before = {row["anomaly_id"]: row for own in held.values() for row in own}
    changed: dict[str, Row] = {}
    for row in fresh:
        own = held[thing(row)]
        near = [one for one in own if touches(one, row, gap)]
        merged = row
        if near:
            merged = merge(near[0], row)
            for other in near[1:]:
                merged = merge(merged, other) | {"lake_version": lake_version}
                changed[other["anomaly_id"]] = _closed(other, lake_version)
        held[thing(row)] = [one for one in own if one not in near] + [merged]
        changed[merged["anomaly_id"]] = merged
    open_since = None
    for row in (one for own in held.values() for one in own if one["state"] == "interim"):
        if row["end"] + gap < between.end:
            changed[row["anomaly_id"]] = _closed(row, lake_version)
        else:
            open_since = min(open_since or row["start"], row["start"])
    return Carried(
        [row for key, row in changed.items() if key not in before or _differs(row, before[key])],
        open_since,
    )


def _closed(row: Row, lake_version: int) -> Row:
    return (
        row if row["state"] == "final" else {**row, "state": "final", "lake_version": lake_version}
    )


def across(
    snapshot: Snapshot,
    fresh: Sequence[Row],
    between: TimeRange,
    scored_to: datetime,
    gap: timedelta,
    final_before: datetime,
) -> tuple[list[Row], list[Row]]:
    """Fit the rows of a range to what the lake holds on either side of it.

    An interval that goes on from one that began before the range is that one: the held row is
    written again with a later end. An interval that lasts until the end of what was scored and
    that is held with a later end, by who scored what follows, keeps that.

    Args:
        snapshot: what is held.
        fresh: rows that start in the range.
        between: the range whose rows are to be replaced.
        scored_to: end of what was scored, at the range's end or somewhat after.
        gap: between intervals that still are one.
        final_before: an interval that ended before can grow no more.

    Returns:
        The rows that replace those of the range, and rows from before it to write again.
    """
    reach = TimeRange(between.start - LONGEST_INTERVAL, between.end)
    held = _held(snapshot, reach, between.start - gap)
    own: list[Row] = []
    earlier: dict[str, Row] = {}
    before = {row["anomaly_id"]: row for rows in held.values() for row in rows}
    for row in fresh:
        near = [
            one for one in held[thing(row)] if one["start"] < between.end and touches(one, row, gap)
        ]
        if row["end"] + gap >= scored_to:
            row = _as_far_as(row, near, scored_to, final_before)
        first = next((one for one in near if one["start"] < between.start), None)
        if first is None:
            # What began before, as a finder can tell, and was not scored then, begins here.
            own.append({**row, "start": max(row["start"], between.start)})
            continue
        key = first["anomaly_id"]
        earlier[key] = merge(earlier.get(key, first), row)
        # The next row of this thing is judged by what has become of it.
        held[thing(row)] = [earlier[key] if one is first else one for one in held[thing(row)]]
    # Of two equally new versions of a row, readers see the one with the later end.
    return own, [
        row
        for key, row in earlier.items()
        if row["end"] > before[key]["end"]
        or (_differs(row, before[key]) and row["lake_version"] > before[key]["lake_version"])
    ]


def _as_far_as(row: Row, near: Iterable[Row], scored_to: datetime, final_before: datetime) -> Row:
    """The row, as long as the longest of `near`; of their peaks only those not scored now count."""
    for one in near:
        if one["end"] <= max(row["end"], scored_to):
            continue
        peak = one if one["peak_time"] >= scored_to and one["score"] > row["score"] else row
        same = ("anomaly_id", "start", "lake_version")
        row = peak | {name: row[name] for name in same} | {"end": one["end"]}
        row["state"] = "final" if row["end"] < final_before else "interim"
    return row


def _held(snapshot: Snapshot, reach: TimeRange, since: datetime) -> dict[Thing, list[Row]]:
    params = {"first_day": reach.start.date(), "last_day": reach.end.date(), "since": since}
    held: dict[Thing, list[Row]] = defaultdict(list)
    for row in run(snapshot, RECENT, params, reach).rows.to_pylist():
        held[thing(row)].append(row)
    return held


def touches(before: Row, row: Row, gap: timedelta) -> bool:
    """Whether two intervals overlap, or lie no further apart than the gap."""
    return bool(row["start"] <= before["end"] + gap and row["end"] + gap >= before["start"])


def merge(before: Row, row: Row) -> Row:
    """One of two: the first's id and start, the later end and its state, the higher peak.

    Of equal peaks the first, as in one pass over both: scores of ranks and forests end at a bound.
    """
    peak = row if _height(row) >= _height(before) else before
    last = row if row["end"] >= before["end"] else before
    return {
        **peak,
        "anomaly_id": before["anomaly_id"],
        "start": before["start"],
        "end": last["end"],
        "state": last["state"],
        "lake_version": row["lake_version"],
        "incident_id": before.get("incident_id"),
    }


def _height(row: Row) -> tuple[float, float]:
    return row["score"], -row["peak_time"].timestamp()


def _differs(row: Row, before: Row) -> bool:
    return any(row.get(name) != before.get(name) for name in ("end", "score", "state"))
