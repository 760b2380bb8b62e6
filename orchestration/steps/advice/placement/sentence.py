"""Places as sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Row = Mapping[str, Any]

_HALF_MINUTE = 1.0 / 120.0  # hours
_WHOLE = 0.995  # of a chance that is told as certain
_DIGITS = 10.0  # hours from which on no digit after the point is written
_WEEKDAY = timedelta(days=6)  # until then the name of a day is of one alone


def answer(places: Sequence[Row], refused: Sequence[Row], later: Row | None, now: datetime) -> str:
    """The whole answer in one or two sentences.

    Args:
        places: the best first.
        refused: pools that are not considered.
        later: a later hour, None = now.
        now: the time.
    """
    if not places:
        if not refused:
            return "no pool of GPUs is known: neither Volcano nor Kueue tells of one"
        why = "; ".join(f"{where(one)}: {one['reason']}" for one in refused)
        return f"no pool can be advised: {why}"
    best = places[0]
    told = f"submit it to {where(best)}: {starts(best)}"
    if best["done"] is not None:
        told += f", and is done at about {clock(best['done'], now)} UTC"
    return told if later is None else f"{told}. {later['reason']}"


def clock(time: datetime, now: datetime) -> str:
    """A time by its day of the week, from six days on with its date.

    >>> clock(datetime(2026, 11, 24, 8), datetime(2026, 11, 23, 12))
    'Tue 08:00'
    >>> clock(datetime(2026, 12, 1, 8), datetime(2026, 11, 23, 12))
    'Tue 2026-12-01 08:00'
    """
    return f"{time:%a %H:%M}" if time - now < _WEEKDAY else f"{time:%a %Y-%m-%d %H:%M}"


def where(row: Row) -> str:
    """Cluster, queue and node pool.

    >>> where({"cluster": "eu-1", "queue": "training", "node_pool": None})
    'eu-1, queue training'
    """
    pool = f" ({row['node_pool']})" if row["node_pool"] else ""
    return f"{row['cluster']}, queue {row['queue']}{pool}"


def starts(row: Row) -> str:
    """When a job starts, with the interval.

    >>> starts({"wait_hours": 0.5, "wait_hours_lower": 0.25, "wait_hours_upper": 2.0,
    ...         "horizon_hours": 72.0})
    'it starts in about 30 min (15 min to 2.0 h)'
    """
    middle, low, high = (row[name] for name in ("wait_hours", "wait_hours_lower", _UPPER))
    if high is not None and high < _HALF_MINUTE:
        return "it starts at once"
    ends = [f"over {row['horizon_hours']:g} h" if end is None else span(end) for end in (low, high)]
    if middle is None:
        return f"it starts in {ends[0]} or later" if low is not None else f"it starts in {ends[0]}"
    about = "at once" if middle < _HALF_MINUTE else f"in about {span(middle)}"
    return f"it starts {about} ({ends[0]} to {ends[1]})"


_UPPER = "wait_hours_upper"


def span(hours: float) -> str:
    """Hours, or minutes.

    >>> span(0.25), span(4.13), span(26.0)
    ('15 min', '4.1 h', '26 h')
    """
    if hours < 1.0:
        return f"{round(hours * 60.0)} min"
    return f"{hours:.0f} h" if hours >= _DIGITS else f"{hours:.1f} h"


def reason(row: Row) -> str:
    """Why a job starts then, and what else decides."""
    parts = [
        starts(row),
        f"{row['gpus_free']:g} of {row['gpus']:g} GPUs are free, {_count(row['jobs_running'])} "
        f"run{'s' if row['jobs_running'] == 1 else ''} and {_waiting(row['jobs_waiting'])}",
    ]
    if row["mean_wait_hours_last_day"] is not None:
        parts.append(
            f"in the last day jobs waited {span(row['mean_wait_hours_last_day'])} on average"
        )
    transfer = row["transfer_hours"]
    if transfer is not None:
        parts.append(
            "its data set is cached" if transfer < _HALF_MINUTE else
            f"its data set takes {span(transfer)} to come, during which it holds its GPUs"
        )  # fmt: skip
    if row["in_time"] is not None:
        parts.append(f"done by the deadline with a chance of {chance(row['in_time'])}")
    if row["cost"] is not None:
        parts.append(f"costs {row['cost']:.4g}")
    return "; ".join(parts)


def later(row: Row, now: datetime) -> str:
    """Why a later hour does as well."""
    told = (
        f"It may as well be submitted at {clock(row['submit'], now)} UTC to {where(row)}: "
        f"by the deadline with a chance of {chance(row['in_time'])} all the same"
    )
    if row["saving"] is not None and row["saving"] > 0.0:
        return f"{told}, and {row['saving']:.4g} cheaper"
    return (
        f"{told}, and it starts at once with a chance of {chance(row['starts_at_once'])} "
        f"(now {chance(row['starts_at_once_now'])})"
    )


def chance(share: float) -> str:
    """A chance in per cent; none of those that were drawn is no proof.

    >>> chance(1.0), chance(0.5), chance(0.0)
    ('over 99 %', '50 %', 'under 1 %')
    """
    if share > _WHOLE:
        return "over 99 %"
    return "under 1 %" if share < 1.0 - _WHOLE else f"{share:.0%}".replace("%", " %")


def _waiting(jobs: int | None) -> str:
    return "how many wait is not told" if jobs is None else f"{jobs} wait"


def _count(jobs: int) -> str:
    return "1 job" if jobs == 1 else f"{jobs} jobs"
