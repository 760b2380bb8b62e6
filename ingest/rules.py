"""What a request is judged by: its sender, and the limits and rules of the receiver."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest.bounds import Bounds
from ingest.sender import ANYONE, Sender
from lake.timerange import EPOCH

Relabel = Callable[[Mapping[str, str]], dict[str, str] | None]
"""Labels after relabelling; None = the series is left out."""

Elect = Callable[[str, str, int], bool]
"""Whether the samples of (cluster, replica) are taken at a time in µs since 1970."""

NO_LIMIT = 1 << 31
NEVER = 1 << 62
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LabelLimits:
    """Of one series: labels, and bytes of a label's name and value."""

    labels: int = NO_LIMIT
    name_bytes: int = NO_LIMIT
    value_bytes: int = NO_LIMIT


@dataclass(frozen=True, slots=True)
class Rules:
    """How a request is read.

    Attributes:
        sender: whose it is.
        stated: the request itself says of which cluster it is, so its descriptions are too.
        earliest: of samples and events, included.
        latest: and last, included.
        bounds: how much it may hold.
        labels: what a series may hold.
        relabel: None = series stay as they are.
        replica_label: label that tells the replicas of a pair apart; "" = there is none.
        elect: None = both are taken.
        max_bytes: what the body may unpack to.
        now_us: when it was received, µs since 1970.
        starts_after_ms: starts of counters after this become samples of 0; see `starts.py`.
    """

    sender: Sender = ANYONE
    stated: bool = False
    earliest: datetime = EPOCH
    latest: datetime = END_OF_TIME
    bounds: Bounds = field(default_factory=Bounds)
    labels: LabelLimits = field(default_factory=LabelLimits)
    relabel: Relabel | None = None
    replica_label: str = ""
    elect: Elect | None = None
    max_bytes: int = 1 << 32
    now_us: int = 0
    starts_after_ms: int = NEVER


EVERYTHING = Rules()
"""For replay: what was acknowledged goes in, whatever the limits have become since."""
