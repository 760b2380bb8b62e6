"""What caused an incident, by what the lake holds of the entities in it and around it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from detectors.causes import LEAST_CHANGE, notable, ranked
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps.causes import metric_evidence
from orchestration.steps.causes.evidence import Evidence, strongest
from orchestration.steps.incidents import again, counter_evidence, heard, lake_events
from orchestration.steps.incidents.json_numbers import finite
from orchestration.steps.incidents.json_numbers import known as known_number
from orchestration.steps.incidents.lake_metrics import ENTITY, metrics_of
from orchestration.steps.incidents.members import Said
from orchestration.steps.incidents.topology import Place, Topology

Row = dict[str, Any]

TOP = 5
REASONS = 2

"""Causes that are kept."""

FIRST = 10.0
"""Size of being the first that was off, and of being what all others lean on."""

FIRST_HALVES = timedelta(minutes=5)
"""Whoever was off so much later than the first is half as likely to be the cause."""

CHANGES, FLAGGED, ONSET, UPSTREAM = "changes", "flagged", "onset", "upstream"
WARNINGS, TOLD = "events", "told"

MOST_LEANING = 200
"""Entities of an incident that are followed to what they call."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The causes of one incident, as they are kept.

    Attributes:
        causes: the likeliest first, as JSON has them.
        abstained: why none is to be believed; None where the first stands out.
        change: the change that the first cause is put down to, if there is one.
        heard: the events that were known, in short; None = it was not ranked.
    """

    causes: list[Row]
    abstained: str | None
    change: str | None
    heard: str | None = None


def rank(
    snapshot: Snapshot,
    detection: DetectionSettings,
    settings: IncidentSettings,
    known: Topology,
    members: Sequence[tuple[Place, Row]],
    told: Said | None = None,
    before: Sequence[Row] = (),
) -> Ranking:
    """Rank what is in an incident and around it by what speaks for its being the cause.

    Args:
        snapshot: what is known.
        detection: how metrics are read.
        settings: how far back is looked.
        known: what stands next to what.
        members: the incident's anomalies, and what each is about.
        told: what somebody said was the cause of one like it.
        before: incidents that it is again, the latest first.
    """
    at, window = heard.begin(members), heard.window(members)
    places = heard.in_question(known, members)
    events = heard.heard(snapshot, settings, known, members)
    evidence, onsets = _metrics(snapshot, detection, known, places, at, settings.baseline, window)
    evidence[FLAGGED] = _flagged(members)
    for place, row in members:
        onsets[place] = min(onsets.get(place, row["start"]), row["start"])
    evidence[CHANGES] = lake_events.of_changes(events, onsets, at)
    evidence[CHANGES] += again.change_before(snapshot, known, before, at)
    evidence[WARNINGS] = lake_events.of_warnings(events, at)
    evidence[ONSET] = _first(onsets)
    evidence[UPSTREAM] = _upstream(known, [place for place, _ in members], set(onsets))
    evidence[TOLD] = [] if told is None else _told(told, places)
    ranking = _ranking(snapshot, known, evidence, onsets, members)
    return replace(ranking, heard=heard.in_short(events))


Found = dict[str, list[tuple[Place, Evidence]]]


def _metrics(
    snapshot: Snapshot,
    detection: DetectionSettings,
    known: Topology,
    places: Sequence[Place],
    at: datetime,
    baseline: timedelta,
    window: timedelta,
) -> tuple[Found, dict[Place, datetime]]:
    """Evidence of metrics, and when each entity was off."""
    kinds: Found = {"metrics": [], "silence": []}
    onsets: dict[Place, datetime] = {}
    for cluster in sorted({cluster for cluster, _ in places}):
        own = [place for place in places if place[0] == cluster]
        data = metrics_of(snapshot, detection, known, own, at, baseline, window)
        if data is None:
            continue
        off = metric_evidence.deviations_of(data, ENTITY)
        moved = metric_evidence.of_metrics(data, off, ENTITY)
        silent = metric_evidence.of_silence(data, ENTITY)
        for kind, found in (("metrics", moved), ("silence", silent)):
            kinds[kind] += [((cluster, one.entity), one) for one in found]
        for one in moved:
            if one.onset is not None and notable({"metrics": one.size}):
                onsets[cluster, one.entity] = one.onset
    return kinds, onsets


def _flagged(members: Iterable[tuple[Place, Row]]) -> list[tuple[Place, Evidence]]:
    """Evidence of what detectors have flagged."""
    found = []
    for (cluster, entity), row in members:
        what = row["metric"] or row["detector"]
        score = finite(row["score"])
        said = f"{what} is flagged, {score:.1f} times the threshold"
        evidence = Evidence(
            entity,
            score,
            what,
            said,
            row["start"],
            actual=row["actual"],
            expected=row["expected"],
        )
        found.append(((cluster, entity), evidence))
    return found


def _told(told: Said, places: Iterable[Place]) -> list[tuple[Place, Evidence]]:
    """Evidence of having been the cause of one like it, as somebody said."""
    said = f"was said to be the cause of {told.incident_id}"
    return [
        (place, Evidence(place[1], FIRST, TOLD, said)) for place in places if place[1] == told.cause
    ]


def _first(onsets: Mapping[Place, datetime]) -> list[tuple[Place, Evidence]]:
    """Evidence of having been off before the others."""
    if len(onsets) < 2:
        return []
    earliest = min(onsets.values())
    found = []
    for place, onset in onsets.items():
        behind = onset - earliest
        size = FIRST * 0.5 ** (behind / FIRST_HALVES)
        said = (
            "was off first"
            if not behind
            else f"was off {behind / timedelta(minutes=1):.0f} min after the first"
        )
        found.append((place, Evidence(place[1], size, ONSET, said, onset)))
    return found


def _upstream(
    known: Topology, members: Sequence[Place], off: set[Place]
) -> list[tuple[Place, Evidence]]:
    """Evidence of being what others in the incident call, directly or not."""
    inside = set(list(dict.fromkeys(members))[:MOST_LEANING])
    leaning: dict[Place, set[Place]] = defaultdict(set)
    for one in inside:
        seen, front = {one}, [one]
        while front:
            cluster, name = front.pop()
            for callee in known.callees.get((cluster, name), ()):
                place = (cluster, callee)
                if place not in seen and place in off:
                    seen.add(place)
                    front.append(place)
                    leaning[place].add(one)
    found = []
    for place, who in sorted(leaning.items()):
        size = FIRST * len(who - {place}) / max(1, len(inside) - 1)
        names = ", ".join(sorted(name for _, name in who))
        found.append((place, Evidence(place[1], size, UPSTREAM, f"is called by {names}")))
    return found


def _ranking(
    snapshot: Snapshot,
    known: Topology,
    evidence: Found,
    onsets: Mapping[Place, datetime],
    members: Sequence[tuple[Place, Row]],
) -> Ranking:
    places = {str(place): place for found in evidence.values() for place, _ in found}
    best = {
        kind: strongest([replace(one, entity=str(place)) for place, one in found])
        for kind, found in evidence.items()
    }
    sizes = {kind: {name: one.size for name, one in of.items()} for kind, of in best.items()}
    order = [one for one in ranked(sizes | _BYSTANDERS) if one.entity in places]
    causes: list[Row] = []
    for number, one in enumerate(order[:TOP], 1):
        place = places[one.entity]
        counted = [kind for kind, _ in one.kinds]
        own = {
            kind: best[kind][one.entity]
            for kind in dict.fromkeys([*counted, *best])
            if one.entity in best[kind]
        }
        causes.append(
            {
                "rank": number,
                "cluster": place[0],
                "entity": place[1],
                "score": round(one.score, 4),
                "confidence": round(one.confidence, 4),
                "onset": _text(onsets.get(place)),
                "reason": _reason(own),
                "evidence": [_row(kind, found) for kind, found in own.items()],
                "against": counter_evidence.against(
                    snapshot, known, place, own.get(CHANGES), onsets, members
                ),
            }
        )
    first = order[0].entity if order else ""
    if not notable({kind: of[first] for kind, of in sizes.items() if first in of}):
        return Ranking(causes, NOTHING_STANDS_OUT, None)
    change = best[CHANGES].get(first)
    if change is None or change.size < LEAST_CHANGE:
        return Ranking(causes, None, None)
    return Ranking(causes, None, change.reason.rpartition(", ")[0])


NOTHING_STANDS_OUT = "nothing stands out: what is unusual may be chance"

_BYSTANDERS = {"none": {"": 0.0, " ": 0.0, "  ": 0.0}}
"""Entities that show nothing: one that is alone in question stands out of those."""


def _reason(own: Mapping[str, Evidence]) -> str:
    """The two reasons that count most, of those that say something by themselves."""
    said = [
        one.reason
        for kind, one in own.items()
        if kind not in (ONSET, UPSTREAM) and (kind == CHANGES or notable({kind: one.size}))
    ]
    return "; ".join(said[:REASONS]) or "nothing unusual"


def _row(kind: str, one: Evidence) -> Row:
    return {
        "kind": kind,
        "what": one.what,
        "reason": one.reason,
        "size": round(finite(one.size), 4),
        "onset": _text(one.onset),
        "actual": known_number(one.actual),
        "expected": known_number(one.expected),
        "series": one.series,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
