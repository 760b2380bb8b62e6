"""What was silent at this time the day before, or the week before, is so by its own habit.

A cluster that is switched off each night, a batch job's exporter: one earlier time is enough.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from detectors.absence import WORD, elapsed, holds, silences
from orchestration.steps.absence import presence
from orchestration.steps.absence.findings import Finding
from orchestration.steps.absence.verdicts import Heard
from orchestration.steps.look import Look

EARLIER = (timedelta(days=1), timedelta(days=7))

NEAR = 45
"""Columns that it may have begun sooner or later: jobs take longer on some days."""

HEARD_IN = WORD
"""Columns before in which it must have been heard."""


def same_as_before(look: Look, heard: Heard, found: Sequence[Finding]) -> list[bool]:
    """Of each, whether it did the same a day or a week earlier; remembered by the watch."""
    known = heard.watch.habits
    asked = defaultdict(list)
    for one in found:
        if _key(one) not in known:
            known[_key(one)] = False
            for shift in EARLIER:
                first = one.first - shift // look.settings.step
                asked[first // WORD].append((first, one))
    for questions in asked.values():
        low = min(first for first, _ in questions) - HEARD_IN
        high = max(first + 2 * int(one.allowed) for first, one in questions) + NEAR + 1
        past = presence.read(look.snapshot, low, high, look.settings.step)
        for first, one in questions:
            if past.ids.size and _silent(past, first, one, high):
                known[_key(one)] = True
    return [known[_key(one)] for one in found]


def _key(one: Finding) -> tuple[object, ...]:
    return (one.level.name, one.first, *one.names.values())


def _silent(past: presence.Presence, first: int, one: Finding, end: int) -> bool:
    place = np.searchsorted(past.ids, one.members)
    place = place[place < past.ids.size]
    own = past.words[place[np.isin(past.ids[place], one.members)]]
    if not own.size:
        return False
    words = np.bitwise_or.reduce(own, axis=0)[None]
    live = np.bitwise_or.reduce(past.words, axis=0)
    before = elapsed(holds(live))
    offset = past.first
    gaps = silences(
        words,
        0,
        end - offset,
        np.array([-1]),
        before,
        np.array([one.allowed]),
        np.array([True]),
    )
    return bool((np.abs(gaps.start + offset - first) <= NEAR).any())
