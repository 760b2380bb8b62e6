"""What was changed just before: rollouts, images, settings, scaling, nodes."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from lake.external import read_rows
from orchestration.steps.causes.evidence import Evidence
from orchestration.steps.causes.names import Names

LOOK_BACK = timedelta(hours=1)
HALF_LIFE = timedelta(minutes=10)
"""A change that is so much older is half as likely to be it."""

STRONGEST = 20.0
"""Size of a change at the very moment."""

CHANGE = re.compile(
    r"(?i)change|rollout|deploy|replicaset|scal(ed|ing)|image|config|revision|restart|preempt|evict"
    r"|kill|reclaim|nodenotready|drain|cordon|created|updated|deleted|patched"
)
"""Of an event's source, type or reason: something was done."""

KINDS = ("source", "type", "reason")
TEXTS = ("message", "body", "note")


def of_changes(path: Path, by: str, names: Names, at: datetime) -> list[Evidence]:
    """Evidence of entities that were changed within the hour before.

    Raises:
        FileFormatError: it cannot be read, or has no time.
    """
    rows = pl.DataFrame(read_rows(path, (), timed=True))
    time = pl.col("timestamp")
    rows = rows.with_columns(names.of_rows(rows, by).alias("entity"))
    near = rows.filter((time > at - LOOK_BACK) & (time <= at) & pl.col("entity").is_not_null())
    kinds = [name for name in KINDS if name in near.columns]
    found = []
    for row in near.sort("timestamp", descending=True).iter_rows(named=True):
        said = " ".join(str(row[name]) for name in kinds if row[name] is not None)
        if kinds and not CHANGE.search(said):
            continue
        ago = at - row["timestamp"]
        size = STRONGEST * 0.5 ** (ago / HALF_LIFE)
        reason = f"{_what(row, said)} {_minutes(ago)} before"
        found.append(Evidence(row["entity"], size, said or "event", reason, row["timestamp"]))
    return found


def _what(row: dict[str, Any], said: str) -> str:
    text = next((str(row[name]) for name in TEXTS if row.get(name)), "")
    return f"{said}: {text}" if said and text else said or text or "an event"


def _minutes(ago: timedelta) -> str:
    """How long ago, as people say it.

    >>> _minutes(timedelta(seconds=20)), _minutes(timedelta(minutes=4, seconds=5))
    ('20 s', '4 min')
    """
    seconds = ago.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
