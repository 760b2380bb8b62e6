"""Samples whose time cannot be right, or is not accepted any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from ingest.errors import BadRequestError
from ingest.remote_write import message
from ingest.remote_write.scan import Scan
from ingest.rules import Rules

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WrongTimes:
    """Samples that break one rule about times.

    Attributes:
        samples: bool[n_samples].
        reason: short name of the rule.
        rule: what it says.
    """

    samples: Mask
    reason: str
    rule: str


def wrong_times(request: Scan, rules: Rules) -> Sequence[WrongTimes]:
    """What breaks each rule; a sample may break several. Nothing where all is well."""
    time_ms = request.time_ms
    lowest, highest = _ms(rules.earliest), _ms(rules.latest)
    if len(time_ms) == 0 or (
        int(time_ms.min()) >= max(lowest, 0) and int(time_ms.max()) <= highest
    ):
        return ()
    latest, earliest = rules.latest.isoformat(), rules.earliest.isoformat()
    found = (
        WrongTimes(
            time_ms > highest,
            "future",
            f"is later than {latest}, the latest accepted: is the sender's clock right?",
        ),
        WrongTimes(time_ms < 0, "past", "is before 1970: is the sender's clock right?"),
        WrongTimes(
            time_ms < lowest,
            "past",
            f"is earlier than {earliest}, the earliest accepted over the wire: `ingest.max_age` "
            "(import older data from files)",
        ),
    )
    return [one for one in found if one.samples.any()]


def unknown_series(request: Scan, place: int, rules: Rules) -> tuple[str, str]:
    """A series that is in no catalogue: as its sender names it, and its cluster if that is sure."""
    start, end = int(request.label_starts[place]), int(request.label_ends[place])
    try:
        raw = message.label_pairs(request.data[start:end].tobytes())
    except BadRequestError:
        return f"number {place}", rules.sender.cluster or ""
    pairs = {name.decode(errors="replace"): text.decode(errors="replace") for name, text in raw}
    cluster = pairs.get("cluster") or rules.sender.cluster or ""
    if rules.sender.allowed is not None and cluster not in rules.sender.allowed:
        cluster = ""
    return "{" + ", ".join(f'{name}="{text}"' for name, text in pairs.items()) + "}", cluster


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
