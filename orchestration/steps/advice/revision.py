"""What becomes of one advice when it is worked out again: pure, a row and what is said now."""

import re
from datetime import datetime

from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Followed, Numbers
from orchestration.steps.advice.rows import (
    ACCEPTED,
    APPLIED,
    DISMISSED,
    OPEN,
    WITHDRAWN,
    Row,
)

SAME_RISK = 0.01
"""A risk that moves by less is the same."""

FIGURE = re.compile(r"\d+(?:\.\d+)?")

KEPT = ("since", "feedback", "effect")
"""What an advice keeps when it is given anew."""

STANDS = "; nothing newer is told: "
"""In the reason of an advice that stays while nothing is told of what it is about; why follows."""


def revised(
    row: Row | None,
    given: Row | None,
    followed: Followed | None,
    settings: AdviceSettings,
    now: datetime,
) -> Row | None:
    """The next row of an advice; None where it stays as it is.

    Args:
        row: the newest that is held, with what people said of it; None = it is new.
        given: as an adviser says it now; None = it says nothing of it any more.
        followed: what became of it; None = unknown.
        settings: what is the same, and what is asked again.
        now: the time.
    """
    if row is None:
        return given
    state = row["state"]
    done = followed is not None and followed.applied and not row["abstained"]
    if followed is not None and done and state in (OPEN, ACCEPTED):
        return _next(row, now, state=APPLIED, effect=followed.effect)
    if state == APPLIED and row["made_at"] >= now:
        # Of the same round, made again: what is better yet is said in the next.
        return None
    if given is None or (followed is not None and followed.holds):
        return _not_heard(row, followed, now)
    if given["silent"] and not row["abstained"] and state in (OPEN, APPLIED):
        return _stands(row, given, followed, settings, now)
    if state in (ACCEPTED, DISMISSED):
        if given["abstained"] and not row["abstained"]:
            # For want of data, often of an hour alone; what was judged has not changed.
            return None
        moved = distance(row["proposed"], given["proposed"]) > settings.reopen
        renewed = moved or row["abstained"] != given["abstained"]
    else:
        renewed = state != OPEN or _changed(row, given, settings)
    if not renewed:
        return None
    return _next(given | {name: row[name] for name in KEPT}, now, revision=row["revision"])


def _not_heard(row: Row, followed: Followed | None, now: datetime) -> Row | None:
    """The next row of an advice of which nothing is said anew, or nothing that is heeded."""
    if row["state"] in (OPEN, ACCEPTED):
        stays = followed is not None and followed.holds
        return None if stays else _next(row, now, state=WITHDRAWN)
    effect = None if followed is None else followed.effect
    if row["state"] == APPLIED and effect is not None and effect != row["effect"]:
        return _next(row, now, effect=effect)
    return None


def _stands(
    row: Row, given: Row, followed: Followed | None, settings: AdviceSettings, now: datetime
) -> Row | None:
    """The next row of one of which nothing is told for a while: what it says, and since when."""
    if row["state"] == APPLIED:
        return _not_heard(row, followed, now)
    reason = row["reason"].split(STANDS)[0] + STANDS + given["reason"]
    if _alike(row["reason"], reason, settings.reopen):
        return None
    return _next(row, now, reason=reason)


def _next(row: Row, now: datetime, **changes: object) -> Row:
    changed: Row = row | {"made_at": now} | changes
    return changed | {"revision": changed["revision"] + 1}


def _changed(row: Row, given: Row, settings: AdviceSettings) -> bool:
    """Whether an open advice says something else than before."""
    if row["abstained"] != given["abstained"] or STANDS in row["reason"]:
        return True
    if row["abstained"] and not _alike(row["reason"], given["reason"], settings.reopen):
        return True
    if given["workload_kind"] not in (None, row["workload_kind"]):
        # Patches are of it.
        return True
    if distance(row["current"], given["current"]) > 0.0:
        return True
    if distance(row["proposed"], given["proposed"]) > settings.change:
        return True
    return any(_apart(row[name], given[name]) > SAME_RISK for name in ("risk", "current_risk"))


def _alike(one: str, other: str, share: float) -> bool:
    """Whether two texts are the same but for figures that are no further apart than a share.

    >>> _alike("17 h of history", "18 h of history", 0.5)
    True
    >>> _alike("17 h of history", "40 h of history", 0.5)
    False
    """
    if FIGURE.sub("#", one) != FIGURE.sub("#", other):
        return False
    pairs = zip(FIGURE.findall(one), FIGURE.findall(other), strict=True)
    return all(distance({"": float(a)}, {"": float(b)}) <= share for a, b in pairs)


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else 1.0
    return abs(one - other)


def distance(one: Numbers, other: Numbers) -> float:
    """How far figures are apart: the largest relative difference; infinite where others differ.

    >>> distance({"cpu_request_cores": 2.0}, {"cpu_request_cores": 1.0})
    0.5
    >>> distance({"class": "Burstable"}, {"class": "Guaranteed"})
    inf
    """
    if one.keys() != other.keys():
        return float("inf")
    furthest = 0.0
    for name, value in one.items():
        then = other[name]
        if value == then:
            continue
        if not _is_figure(value) or not _is_figure(then):
            return float("inf")
        assert isinstance(value, (int, float)) and isinstance(then, (int, float))  # noqa: S101, PT018
        furthest = max(furthest, abs(value - then) / max(abs(value), abs(then)))
    return furthest


def _is_figure(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
