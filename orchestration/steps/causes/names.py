"""Which of the ranked entities a name in another file means.

Metrics may be of services, spans of pods, a graph of services again. A pod's name tells its owner,
and a file of metrics may have both.
"""

from collections.abc import Collection, Iterable

import polars as pl

from ingest.entities import pod_owner

UNIT_NAMES = ("pod", "service", "workload", "container", "node", "instance")
"""Columns that name a thing that metrics, events, logs and spans are about."""


class Names:
    """Finds entities by their own and their pods' and owners' names.

    >>> names = Names(["web-6d4cf56db6-x2v9k", "db-0"])
    >>> names.entity("web"), names.entity("db-0"), names.entity("mail")
    ('web-6d4cf56db6-x2v9k', 'db-0', None)

    Args:
        entities: that are ranked.
        others: pairs of another name and the entity it means.
    """

    def __init__(self, entities: Collection[str], others: Iterable[tuple[str, str]] = ()) -> None:
        self.entities = set(entities)
        self._of: dict[str, str | None] = {}
        for entity in sorted(self.entities):
            owner = pod_owner(entity)
            if owner:
                # Several pods of one owner: the owner's name means none of them.
                self._of[owner] = entity if owner not in self._of else None
        for name, entity in others:
            self._of.setdefault(name, entity)
        self._of.update({entity: entity for entity in self.entities})

    def entity(self, name: str | None) -> str | None:
        """The entity that a name means; None where it means none, or several."""
        if not name:
            return None
        if name not in self._of:
            owner = pod_owner(name)
            self._of[name] = self._of.get(owner) if owner else None
        return self._of[name]

    def of_rows(self, frame: pl.DataFrame, by: str) -> pl.Series:
        """The entity of each row, by the column of that name, else by the first that names one."""
        columns = [one for one in dict.fromkeys((by, *UNIT_NAMES, "name")) if one in frame.columns]
        found = pl.Series("entity", [None] * frame.height, dtype=pl.String)
        for name in columns:
            values = frame[name].cast(pl.String)
            known = {one: self.entity(one) for one in values.unique().drop_nulls().to_list()}
            meant = pl.DataFrame({name: list(known), "entity": list(known.values())})
            meant = meant.cast({name: pl.String, "entity": pl.String})
            rows = pl.DataFrame({name: values}).join(
                meant, on=name, how="left", maintain_order="left"
            )
            found = found.zip_with(found.is_not_null(), rows["entity"])
        return found


def pods_of(frame: pl.DataFrame, by: str) -> list[tuple[str, str]]:
    """Pairs of pod and entity that a table of metrics knows."""
    if by == "pod" or "pod" not in frame.columns:
        return []
    pairs = frame.select("pod", by).unique().drop_nulls().sort("pod", by)
    return [(str(pod), str(entity)) for pod, entity in pairs.iter_rows()]
