"""What an incident is called: who, where, what, since when, after what."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestration.steps.incidents.topology import Place

Row = dict[str, Any]

EVENTS = "events:"

WORDS: tuple[tuple[str, str], ...] = (
    (r".*memory_fail.*", "memory"),
    (r".*_gc_.*", "garbage collection"),
    (r"5\d\d|.*(error|fail|5xx|exception).*", "errors"),
    (r".*(denied|deny|denials|denies).*|opa_decisions.*|gatekeeper_.*", "policy denials"),
    (r".*(duration|latency|response_time|_seconds_bucket).*", "latency"),
    (r".*throttl.*", "CPU throttling"),
    (r"(.*_)?oom.*", "OOM kills"),
    (r".*restart.*", "restarts"),
    (r".*(replicas|ready|unavailable).*", "replicas missing"),
    (r".*(volume|filesystem|disk|inode).*", "disk use"),
    (r".*memory.*|.*heap.*", "memory"),
    (r".*cpu.*|.*load\d*", "CPU"),
    (r".*(request|queries|messages|connections).*", "traffic"),
    (r".*network.*|.*packets.*", "network"),
    (r".*(lag|queue|backlog|pending).*", "backlog"),
)
"""What people call a metric, by a pattern of its whole name; the first that matches counts."""

USERS_SEE = frozenset({"errors", "latency"})
STOPPED = "stopped reporting"
MOST_WORDS = 2
MOST_CLUSTERS = 3
MOST_CHANGE = 60


def word_for(row: Row, labels: Mapping[str, str]) -> str:
    """What a person would call what an anomaly shows.

    >>> word_for({"metric": "node_load1", "detector": "window_memory"}, {})
    'CPU'
    >>> word_for({"metric": "istio_requests_total", "detector": ""}, {"response_code": "503"})
    'errors'
    """
    metric = row.get("metric")
    if metric == "up" or row["detector"] == "absence":
        return STOPPED
    if metric is None:
        return f"unusual together ({row['detector']})"
    if metric.startswith(EVENTS):
        return f"{metric.split(':')[-1]} events"
    code = labels.get("response_code") or labels.get("code") or labels.get("status") or ""
    if re.fullmatch(r"[45]\d\d|[45]xx", code):
        return "errors"
    return next((word for form, word in WORDS if re.fullmatch(form, metric, re.IGNORECASE)), metric)


def title(
    members: Sequence[tuple[Place, Row, str]],
    first: Place | None,
    clusters: Sequence[str],
    since: datetime,
    change: str | None,
) -> str:
    """A title a person would write.

    Args:
        members: the anomalies, what each is about, and what it shows in a word.
        first: the likeliest cause, if one stands out.
        clusters: where it is.
        since: when it began.
        change: what was done to the cause just before.
    """
    places = dict.fromkeys(place for place, _, _ in members)
    best = max(members, key=lambda member: (member[1]["score"], member[1]["anomaly_id"]))
    subject = first if first in places else best[0]
    own = [member for member in members if member[0] == subject]
    shown = own or members
    ranked = sorted(shown, key=lambda member: (member[2] not in USERS_SEE, -member[1]["score"]))
    words = list(dict.fromkeys(word for _, _, word in ranked))
    what = " and ".join(words[:MOST_WORDS])
    others = len({name for _, name in places} - {subject[1]})
    also = f" and {others} more" if others else ""
    named = ", ".join(clusters) if len(clusters) <= MOST_CLUSTERS else f"{len(clusters)} clusters"
    text = f"{subject[1]}{also} in {named}: {what} since {since:%H:%M}"
    if change:
        short = change.split(" (")[0]
        text += f", after: {short[:MOST_CHANGE]}{'…' if len(short) > MOST_CHANGE else ''}"
    return text
