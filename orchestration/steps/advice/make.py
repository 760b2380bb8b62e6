"""Working out all advice, and keeping what is new, what has changed, and what no longer holds."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lake import Lake
from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.failures import Failure
from orchestration.steps.advice.advice import Followed
from orchestration.steps.advice.advisers import ADVISERS, Adviser
from orchestration.steps.advice.feedback import heard
from orchestration.steps.advice.revision import revised
from orchestration.steps.advice.rows import (
    ACCEPTED,
    DISMISSED,
    OPEN,
    WITHDRAWN,
    Row,
    held,
    new_row,
    table,
)
from orchestration.steps.panels import align

logger = logging.getLogger(__name__)

DELAY = timedelta(minutes=1)
"""After it, what was sent by a time is in the lake."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was advised.

    Attributes:
        made_at: from what was in the lake by then.
        given: advice, by kind, without what is dismissed or applied.
        abstained: of which nothing could be proposed.
        withdrawn: that no longer held.
        written: rows.
        failed: why, by adviser: its advice stays as it was.
    """

    made_at: datetime
    given: Mapping[str, int] = field(default_factory=dict)
    abstained: int = 0
    withdrawn: int = 0
    written: int = 0
    failed: Mapping[str, Failure] = field(default_factory=dict)


def due_at(now: datetime, settings: AdviceSettings) -> datetime:
    """The newest time of which advice is to be made: servers and schedules make the same."""
    return align(now - DELAY, settings.every)


def make_advice(
    lake: Lake,
    settings: AdviceSettings,
    now: datetime,
    advisers: Mapping[str, Adviser] = ADVISERS,  # type: ignore[assignment]
) -> Made:
    """Ask all advisers; doing it again on the same lake writes nothing.

    An adviser that fails is left out: the others' advice is kept, and its own stays as it was.

    Args:
        lake: what it is about, and where it goes.
        settings: who is asked, of how much history.
        now: the time; what is later is not looked at.
        advisers: who could be asked, by name.
    """
    snapshot = lake.snapshot()
    asked = {name: one for name, one in advisers.items() if name not in settings.leave_out}
    known: dict[str, dict[str, Row]] = {name: {} for name in asked}
    for row in heard(snapshot, held(snapshot, asked), now):
        known[row["adviser"]][row["advice_id"]] = row
    rows: dict[str, Row] = {}
    changed: list[Row] = []
    failed = {}
    for name, adviser in asked.items():
        mine = known[name]
        try:
            new = _asked(snapshot, name, adviser, mine, settings, now)
        except Exception as error:
            # The others go on, whatever it is.
            logger.exception("adviser failed: %s", name)
            failed[name] = Failure.of(error, now)
            new = {}
        # What somebody said, and no round had taken over.
        said = {one: row for one, row in mine.items() if row.pop("unheard", False)}
        changed += (said | new).values()
        rows |= mine | new
    if changed:
        lake.advice.append(table(changed))
    live = [row for row in rows.values() if row["state"] in (OPEN, ACCEPTED)]
    return Made(
        now,
        Counter(row["kind"] for row in live if not row["abstained"]),
        sum(row["abstained"] for row in live),
        sum(row["state"] == WITHDRAWN for row in changed),
        len(changed),
        failed,
    )


def _asked(
    snapshot: Snapshot,
    name: str,
    adviser: Adviser,
    mine: Mapping[str, Row],
    settings: AdviceSettings,
    now: datetime,
) -> dict[str, Row]:
    """The rows of one adviser that change."""
    version = snapshot.versions["samples"]
    given: dict[str, Row] = {}
    for one in adviser.advise(snapshot, now, settings):
        row = new_row(one, name, now, version)
        if row["advice_id"] in given:
            raise ValueError(f"bug: two say {one.kind} of {one.entity} in {one.cluster}")
        given[row["advice_id"]] = row
    followed: Mapping[str, Followed] = {}
    if adviser.follow is not None:
        live = [row for row in mine.values() if row["state"] not in (DISMISSED, WITHDRAWN)]
        followed = adviser.follow(snapshot, live, now, settings)
    found = {}
    for advice_id in {**mine, **given}:
        became = followed.get(advice_id)
        next_row = revised(mine.get(advice_id), given.get(advice_id), became, settings, now)
        if next_row is not None:
            found[advice_id] = next_row
    return found
