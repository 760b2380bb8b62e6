"""What people say of advice: kept as events, and taken over into its row.

The events are what counts: of a row that is written at the same moment by a round of advice, one of
two revisions would be lost.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from lake import Lake
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.errors import FilterError
from orchestration.steps import paging
from orchestration.steps.advice.browse import one_advice
from orchestration.steps.advice.rows import ACCEPTED, DISMISSED, OPEN, Row, table
from orchestration.steps.feedback_events import FEEDBACK, feedback_event

Verdict = Literal["accepted", "dismissed"]

KIND = "Advice"
LONGEST_NOTE = 4_000

REPEAT = timedelta(days=2)
"""How far back a round looks for what was said and not taken over."""

SAID = f"""
SELECT cluster, name, time, attributes['verdict'] AS verdict, attributes['by'] AS "by",
       message AS note
FROM events
WHERE date >= $first_day AND time >= $since AND source = '{FEEDBACK}' AND kind = '{KIND}'
ORDER BY time, uid
"""  # noqa: S608 - constants of ours


def give_feedback(
    lake: Lake,
    advice_id: str,
    verdict: Verdict,
    now: datetime,
    *,
    note: str | None = None,
    by: str | None = None,
    visible: Collection[str] | None = None,
) -> Row:
    """Keep what somebody says of an advice, and give it as it is then.

    Args:
        lake: where it goes.
        advice_id: of which, or the beginning of it.
        verdict: whether it will be done.
        now: the time.
        note: anything.
        by: who says it.
        visible: the clusters that the reader may see, None = all.

    Raises:
        NotFoundError: there is none, several begin so, or the reader may not see its cluster.
        FilterError: the note is too long, or nothing is proposed that could be accepted.
    """
    if len(note or "") > LONGEST_NOTE:
        raise FilterError(f"note has {len(note or '')} characters, at most {LONGEST_NOTE} are kept")
    row = one_advice(lake, advice_id, visible)
    if verdict == ACCEPTED and row["abstained"]:
        raise FilterError(f"advice {row['advice_id']} proposes nothing: {row['reason']}")
    event = feedback_event(row["cluster"], KIND, row["advice_id"], now, verdict, note, {"by": by})
    lake.events.append(event)
    lake.advice.append(table([_told(row, _said(now, verdict, by, note), now)]))
    return one_advice(lake, row["advice_id"], visible)


def heard(snapshot: Snapshot, rows: Iterable[Row], now: datetime) -> Sequence[Row]:
    """Rows with what was said of them and is not in them yet: these have a mark `unheard`."""
    since = now - REPEAT
    params = {"first_day": since.date(), "since": since}
    said = defaultdict(list)
    for one in paging.rows(run(snapshot, SAID, params).rows):
        said[one["cluster"], one["name"]].append(one)
    found = []
    for row in rows:
        own = row
        for one in said.get((row["cluster"], row["advice_id"]), ()):
            entry = _said(one["time"], one["verdict"], one["by"], one["note"])
            if entry not in own["feedback"]:
                own = _told(own, entry, now) | {"unheard": True}
        found.append(own)
    return found


def _said(time: datetime, verdict: str, by: str | None, note: str | None) -> dict[str, Any]:
    return {"time": time.astimezone(UTC).isoformat(), "verdict": verdict, "by": by, "note": note}


def _told(row: Row, entry: dict[str, Any], now: datetime) -> Row:
    """A row that one thing more was said of; what is applied or withdrawn stays so.

    What was said last holds, though it may be known first.
    """
    feedback = sorted([*row["feedback"], entry], key=_time)
    known = row["state"] in (OPEN, ACCEPTED, DISMISSED)
    return row | {
        "feedback": feedback,
        "state": entry["verdict"] if known and feedback[-1] is entry else row["state"],
        "made_at": now,
        "revision": row["revision"] + 1,
    }


def _time(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["time"])
