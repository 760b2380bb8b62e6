"""What was read of one cluster, for `/metrics`."""

from dataclasses import dataclass
from datetime import datetime


@dataclass
class KubernetesStatistics:
    """Counters of one source. Each is written by threads of that source alone."""

    events: int = 0
    """Events handed to the receiver and acknowledged, changes among them."""

    repeated_events: int = 0
    """Events seen again under the same uid and count, and left out."""

    refused_events: int = 0
    """Events that the receiver refused for good."""

    malformed_lines: int = 0
    """Lines of a watch that were no JSON, or too long."""

    bookmarks: int = 0
    lists: int = 0
    """Lists of all events: at the first start, and after each loss of the position."""

    watches: int = 0
    failures: int = 0
    """Requests that failed, whatever the reason."""

    refusals_of_receiver: int = 0
    """Times that the receiver had no room, or its log could not be written."""

    snapshots: int = 0
    objects: int = 0
    """Objects in the newest snapshot."""

    changes: int = 0
    last_event: datetime | None = None
    last_snapshot: datetime | None = None
