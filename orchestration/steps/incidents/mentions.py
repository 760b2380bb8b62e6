"""What anomalies own and touch, as `detectors.incidents.group` reads it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from detectors.incidents import Mentions
from orchestration.steps.incidents import titles
from orchestration.steps.incidents.entities import TARGET_METRICS, entity_of, node
from orchestration.steps.incidents.topology import Place, Topology

Row = dict[str, Any]
Key = tuple[str, ...]

POLICY = ("opa_", "gatekeeper_")
"""Beginnings of the metrics of policy engines."""

EVERYWHERE = "*"

OF_CONTAINERS = "container_"
"""Beginning of the metrics of what containers take of their node, and are kept from taking."""

FEW_NODES = 4
"""A workload on more than that is not slow for one of them."""


class About:
    """What rows of `anomalies` are about.

    Args:
        known: what stands next to what.
        labels: by series id, the labels of the rows' series.
        refused: when a policy refused an entity something.
        near: how far an anomaly's begin may be from that and still be about it.
    """

    def __init__(
        self,
        known: Topology,
        labels: Mapping[int, Mapping[str, str]],
        refused: Mapping[Place, Sequence[datetime]],
        near: timedelta,
    ) -> None:
        self._known = known
        self._labels = labels
        self._refused = refused
        self._near = near

    def entity(self, row: Row) -> str:
        """What a row is about."""
        return entity_of(row, self._claimed(row))

    def word(self, row: Row) -> str:
        """What it shows, in a person's words."""
        return titles.word_for(row, self._labels.get(row.get("series_id") or 0, {}))

    def owned(self, row: Row) -> list[Key]:
        """What it owns."""
        cluster, entity = row["cluster"], self.entity(row)
        keys: list[Key] = [(cluster, entity)]
        if row.get("job") and row.get("instance") and not row.get("workload"):
            keys.append((cluster, "instance", row["instance"]))
        if self._is_policy(row, entity):
            keys.append((cluster, "policy"))
        if row.get("incident_id"):
            keys.append(("incident", row["incident_id"]))
        return keys

    def touched(self, row: Row) -> list[Key]:
        """What is next to that."""
        cluster, entity = row["cluster"], self.entity(row)
        near = self._known.callers.get((cluster, entity), set()) | self._known.callees.get(
            (cluster, entity), set()
        )
        if row.get("node") and node(row["node"]) != entity and row["metric"] not in TARGET_METRICS:
            near = near | {node(row["node"])}
        near = near | self._nodes_of_all(row, entity)
        keys: list[Key] = [(cluster, one) for one in sorted(near)]
        if not near and self.word(row) in titles.USERS_SEE:
            # Nobody tells who calls whom: requests of one mesh that fail at the same moment.
            keys.append((cluster, "requests"))
        if row.get("metric"):
            direction = (row.get("direction") or "").split(" ")[0]
            keys.append((EVERYWHERE, entity, row["metric"], direction))
        return keys

    def _nodes_of_all(self, row: Row, entity: str) -> set[str]:
        """Nodes that may be why all pods of a workload together are odd."""
        if row.get("pod") or not (row.get("metric") or "").startswith(OF_CONTAINERS):
            return set()
        nodes = self._known.nodes_of.get((row["cluster"], entity), set())
        return nodes if len(nodes) <= FEW_NODES else set()

    def _claimed(self, row: Row) -> str | None:
        claim = self._labels.get(row.get("series_id") or 0, {}).get("persistentvolumeclaim")
        if claim is None:
            return None
        key = (row["cluster"], row.get("namespace"), claim)
        return self._known.claims.get(key, f"volume {row.get('namespace')}/{claim}")

    def _is_policy(self, row: Row, entity: str) -> bool:
        if (row.get("metric") or "").startswith(POLICY):
            return True
        when = self._refused.get((row["cluster"], entity), ())
        return any(abs(one - row["start"]) <= self._near for one in when)


def mentions(rows: Sequence[Row], about: About) -> Mentions:
    """What rows own and touch; a row's number is its place."""
    numbers: dict[Key, int] = {}
    anomaly: list[int] = []
    key: list[int] = []
    owned: list[bool] = []
    for place, row in enumerate(rows):
        for mine, keys in ((True, about.owned(row)), (False, about.touched(row))):
            for one in keys:
                anomaly.append(place)
                key.append(numbers.setdefault(one, len(numbers)))
                owned.append(mine)
    return Mentions(np.array(anomaly, np.int64), np.array(key, np.int64), np.array(owned, np.bool_))
