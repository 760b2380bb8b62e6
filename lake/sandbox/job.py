"""One query from outside, with all that a worker needs to answer it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import pyarrow as pa

from lake.connection import Limits
from lake.files import Paths
from lake.places import described, from_description
from lake.results import Format
from lake.rollups.stale import Stale
from lake.store import Store


@dataclass(frozen=True)
class Job:
    """A query that the guard has passed.

    Attributes:
        paths: files by table.
        sql: one SELECT.
        limits: of the query and its result.
        clusters: whose rows it may see; None = all.
        form: of the answer.
        read_from: told in the answer, see `lake.results.writer`.
        tables: rows that it can read under a name, beside the views.
        store: where the files are; None = on this machine.
        stale: for the table macro `buckets`; None = the query does not use it.
        views: those that it reads, see `lake.views.queries_of`; None = perhaps all.
    """

    paths: Paths
    sql: str
    limits: Limits
    clusters: Sequence[str] | None = None
    form: Format = Format.arrow
    read_from: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    store: Store | None = None
    stale: Stale | None = None
    views: Sequence[str] | None = None

    def to_json(self) -> bytes:
        """All but the tables."""
        return json.dumps(
            {
                "paths": {name: list(paths) for name, paths in self.paths.items()},
                "sql": self.sql,
                "limits": asdict(self.limits),
                "clusters": None if self.clusters is None else sorted(self.clusters),
                "form": self.form,
                "read_from": dict(self.read_from),
                "store": None if self.store is None else described(self.store),
                "stale": None if self.stale is None else self.stale.to_json(),
                "views": None if self.views is None else list(self.views),
            }
        ).encode()

    @classmethod
    def from_json(cls, content: bytes, tables: Mapping[str, pa.Table]) -> "Job":
        """What `to_json` made, with the tables that came beside it."""
        values = json.loads(content)
        values["limits"] = Limits(**values["limits"])
        values["form"] = Format(values["form"])
        values["store"] = values["store"] and from_description(values["store"])
        values["stale"] = values["stale"] and Stale.from_json(values["stale"])
        return cls(**values, tables=tables)
