"""The row of an incident: how bad it is, what it is called, what it does, what caused it."""

import json
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from detectors.incidents import SEVERITIES, severity
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps.incidents import again, heard, lake_causes, titles
from orchestration.steps.incidents.identity import Identity
from orchestration.steps.incidents.json_numbers import finite, known
from orchestration.steps.incidents.lake_causes import Ranking
from orchestration.steps.incidents.members import LOUDER, Said
from orchestration.steps.incidents.mentions import About
from orchestration.steps.incidents.topology import Place, Topology

Row = dict[str, Any]

logger = logging.getLogger(__name__)

PENDING = "its causes are not ranked yet"
"""Why an incident names no cause while there are worse ones to be ranked."""

HEARD = "heard"
"""In `impact`: the events that were known when causes were ranked, in short."""

AGAIN = "again"
"""In `impact`: the id of the incident that it is again."""

SAME_PEAK = 0.1
"""Share by which a peak may change before it is told."""

MOST_SYMPTOMS = 10

LOW = SEVERITIES[-1]
CHANCE = "minor"
"""The worst that an incident is in which nothing stands out."""


class Describer:
    """Writes rows of incidents.

    Args:
        snapshot: what is known.
        detection: how metrics are read.
        settings: how far back causes are looked for.
        known: what stands next to what.
        about: what anomalies are about.
        said: what was said of earlier ones, the newest first.
        now: the time.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        detection: DetectionSettings,
        settings: IncidentSettings,
        known: Topology,
        about: About,
        said: Sequence[Said],
        now: datetime,
    ) -> None:
        self._snapshot = snapshot
        self._detection = detection
        self._settings = settings
        self._known = known
        self._about = about
        self._said = said
        self._now = now
        self._made: list[Row] = []

    def patterns(self, own: Sequence[Row]) -> list[str]:
        """What is the same when the same happens again."""
        return sorted({_pattern((row["cluster"], self._about.entity(row)), row) for row in own})

    def listen(self, incidents: Iterable[Sequence[Row]]) -> heard.HeardOfAll:
        """What is known by now of events about incidents, given the anomalies of each."""
        about = [self._with_places(own) for own in incidents]
        return heard.HeardOfAll(self._snapshot, self._settings, self._known, about)

    def heard(self, own: Sequence[Row], events: heard.HeardOfAll) -> str:
        """What is known by now of events about one of these; see `heard.in_short`."""
        return heard.in_short(events.of(self._with_places(own)))

    def _with_places(self, own: Sequence[Row]) -> list[tuple[Place, Row]]:
        return [((row["cluster"], self._about.entity(row)), row) for row in own]

    def row(
        self,
        who: Identity,
        own: Sequence[Row],
        end: datetime,
        state: str,
        into: str | None,
        *,
        ranked: bool,
    ) -> Row:
        """The row.

        Args:
            who: whose it is.
            own: its anomalies.
            end: of the last.
            state: open or resolved.
            into: the incident of all clusters that it is part of, if there is one.
            ranked: whether its causes are ranked now.
        """
        about = self._with_places(own)
        words = [(place, row, self._about.word(row)) for place, row in about]
        patterns = self.patterns(own)
        ranking, before = Ranking([], PENDING, None), list[Row]()
        if ranked:
            before = self._before(who, about[0], frozenset(patterns))
            ranking = self._ranking(about, frozenset(patterns), before)
        first = ranking.causes[0] if ranking.abstained is None else None
        clusters = sorted({row["cluster"] for row in own})
        entities = sorted({name for (_, name), _ in about})
        peak = finite(max(row["score"] for row in own))
        quieted = self._quieted(who.incident_id, frozenset(patterns), peak)
        weight = severity(
            len(entities),
            len(clusters),
            peak,
            (end - who.start).total_seconds() / 60,
            any(word in titles.USERS_SEE for _, _, word in words),
        )
        if ranking.abstained == lake_causes.NOTHING_STANDS_OUT:
            weight = max(weight, CHANCE, key=SEVERITIES.index)
        kept = {HEARD: ranking.heard, AGAIN: before[0]["incident_id"] if before else None}
        made = {
            "cluster": who.cluster,
            "incident_id": who.incident_id,
            "clusters": clusters,
            "start": who.start,
            "end": end,
            "state": state,
            "merged_into": into,
            "severity": LOW if quieted else weight,
            "title": titles.title(
                words,
                None if first is None else (first["cluster"], first["entity"]),
                clusters,
                who.start,
                ranking.change,
            ),
            "anomaly_ids": sorted(row["anomaly_id"] for row in own),
            "entities": entities,
            "patterns": patterns,
            "causes": json.dumps(ranking.causes, allow_nan=False),
            "abstained": ranking.abstained,
            "impact": json.dumps(_impact(words, peak) | kept, allow_nan=False),
            "quieted": quieted,
            "revision": 1 if who.held is None else who.held["revision"] + 1,
            "lake_version": self._snapshot.versions["samples"],
            "updated_at": self._now,
        }
        self._made.append(made)
        return made

    def _before(
        self, who: Identity, founder: tuple[Place, Row], patterns: frozenset[str]
    ) -> list[Row]:
        """Incidents that it is again, the latest first."""
        founding = _pattern(*founder)
        asked = again.Fresh(who.incident_id, who.cluster, who.start, founding, patterns)
        return again.earlier(self._snapshot, self._settings, asked, self._made)

    def _ranking(
        self,
        about: Sequence[tuple[Place, Row]],
        patterns: frozenset[str],
        before: Sequence[Row],
    ) -> Ranking:
        """The causes; a failure to find them must not keep the incident from being told."""
        told = next((one for one in self._said if one.cause and one.alike(patterns)), None)
        try:
            return lake_causes.rank(
                self._snapshot, self._detection, self._settings, self._known, about, told, before
            )
        except Exception as error:
            logger.exception("causes could not be ranked")
            return Ranking([], f"its causes could not be ranked: {type(error).__name__}", None)

    def _quieted(self, incident_id: str, patterns: frozenset[str], peak: float) -> str | None:
        """Why it is quieter than it would be: it, or its like, was called false."""
        for one in self._said:
            if one.incident_id == incident_id:
                return "it was called false" if one.verdict == "false" else None
            if one.verdict == "false" and one.alike(patterns) and peak <= LOUDER * one.peak:
                return f"like {one.incident_id}, which was called false on {one.time:%Y-%m-%d}"
        return None


def _pattern(place: Place, row: Row) -> str:
    return " ".join([*place, row["metric"] or row["detector"], row["direction"] or ""]).strip()


def _impact(words: Sequence[tuple[Place, Row, str]], peak: float) -> Row:
    """What it does, the worst first."""
    ordered = sorted(words, key=lambda one: (one[2] not in titles.USERS_SEE, -one[1]["score"]))
    shown = [
        {
            "cluster": place[0],
            "entity": place[1],
            "what": word,
            "metric": row["metric"],
            "score": finite(row["score"]),
            **{name: known(row[name]) for name in ("actual", "expected")},
            "start": row["start"].isoformat(),
        }
        for place, row, word in ordered[:MOST_SYMPTOMS]
    ]
    by_cluster = {
        cluster: len({name for (its, name), _, _ in words if its == cluster})
        for cluster in sorted({place[0] for place, _, _ in words})
    }
    return {"peak": peak, "anomalies": len(words), "entities": by_cluster, "symptoms": shown}
