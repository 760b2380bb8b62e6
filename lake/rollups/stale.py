"""Where the rollups of a snapshot do not yet have what its samples have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lake.files import TableFile
from lake.rollups.aggregate import HOUR
from lake.rollups.news import changed_by, file_times, log_of, stale_slots
from lake.rollups.plan import overlapping, written
from lake.rollups.progress import EVER, Cutoffs, rolled_up
from lake.rollups.remembered import Remembered
from lake.rollups.spans import ALL_TIME, Span, Spans, aligned, coarsened, union
from lake.schema import SAMPLES, SAMPLES_1H, SAMPLES_5M
from lake.table import Table

MOST_SPANS = 32
"""Each is a condition of a query; more are made fewer by wider ones."""

WRITTEN = "samples_written"
"""The samples with the order in which they were written."""

STALE = "samples_stale"
"""The same of the files that have stale times."""

KEPT_VERSIONS = 8
"""Of the rollup tables, of which it is known how far they go."""

KEPT_COMMITS = 20_000
"""Of which it is known what they changed: two days of flushes."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Times whose buckets are to be computed from samples, as a query needs them.

    Attributes:
        slots: that may differ in `samples_5m`.
        hours: that may differ in `samples_1h`; the slots lie in them.
        floors: for some clusters, the time (microseconds) before which samples are taken out
            because they are old: the rollups are right there whatever came late.
        floor: likewise, for all others.
        between: no sample outside matters to the query.
        steps: lengths of the buckets that the query asks for, in microseconds; None = any.
    """

    slots: Spans = ()
    hours: Spans = ()
    floors: Mapping[str, int] = field(default_factory=dict)
    floor: int = EVER
    between: Span = ALL_TIME[0]
    steps: tuple[int, ...] | None = None

    def near(self, between: Span) -> "Stale":
        """What matters to a query for which no sample or bucket outside of a range does.

        Whole spans: the first rise of one starts from the bucket before it.
        """
        low, high = between

        def overlap(spans: Spans) -> Spans:
            return tuple(span for span in spans if span[0] < high and low < span[1])

        return replace(self, slots=overlap(self.slots), hours=overlap(self.hours), between=between)

    def paths(self, files: Sequence[TableFile]) -> dict[str, list[str]]:
        """What `buckets` reads of the samples beside the stored tables.

        Args:
            files: of `samples`, which the query may need, by day.
        """
        return {
            WRITTEN: [file.path for file in sorted(files, key=written)],
            STALE: [file.path for file in overlapping(files, self.slots)],
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values; `Stale.from_json` gives it back."""
        return {
            "slots": self.slots,
            "hours": self.hours,
            "floors": dict(self.floors),
            "floor": self.floor,
            "between": self.between,
            "steps": self.steps,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Stale":
        """See `to_json`."""
        slots, hours = (
            tuple((start, end) for start, end in values[name]) for name in ("slots", "hours")
        )
        between = (values["between"][0], values["between"][1])
        steps = None if values["steps"] is None else tuple(values["steps"])
        return cls(slots, hours, values["floors"], values["floor"], between, steps)


class Staleness:
    """Finds it for versions of the tables; remembers what commits changed.

    The same versions have the same answer, whatever is committed later. Safe to use from several
    threads.

    Args:
        tables: of a lake, by name.
    """

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._read = log_of(tables[SAMPLES.name].store)
        self._cutoffs = {spec.name: Cutoffs(tables[spec.name]) for spec in (SAMPLES, SAMPLES_5M)}
        self._changed: Remembered[int, Spans] = Remembered(KEPT_COMMITS)
        self._rolled: Remembered[tuple[str, int], tuple[int | None]] = Remembered(KEPT_VERSIONS)
        self._found: Remembered[tuple[int, ...], Stale] = Remembered(KEPT_VERSIONS)

    def at(self, versions: Mapping[str, int], files: Sequence[TableFile]) -> Stale:
        """Of one snapshot.

        Args:
            versions: of the tables, by name.
            files: of `samples` in its version, by day.
        """
        key = tuple(versions[spec.name] for spec in (SAMPLES, SAMPLES_5M, SAMPLES_1H))
        known = self._found.get(key)
        return known if known is not None else self._found.keep(key, self._at(versions, files))

    def _at(self, versions: Mapping[str, int], files: Sequence[TableFile]) -> Stale:
        found = {}
        for name in (SAMPLES_5M.name, SAMPLES_1H.name):
            since = self._rolled_up(name, versions[name])
            changed = self._between(since, versions[SAMPLES.name])
            found[name] = stale_slots(file_times(files) if changed is None else changed)
        slots = found[SAMPLES_5M.name]
        hours = aligned(union((*slots, *found[SAMPLES_1H.name])), HOUR)
        slots, hours = coarsened(slots, MOST_SPANS), coarsened(hours, MOST_SPANS)
        hours = aligned(union((*slots, *hours)), HOUR)
        if not slots and not hours:
            return Stale()
        # A cluster whose samples are all gone has buckets still.
        held = (files, self._buckets(versions[SAMPLES_5M.name]))
        near = (file for each in held for file in overlapping(each, slots))
        clusters = {name for file in near for name in file.clusters or ()}
        floors = self._floors(versions, [None, *clusters])
        floor = floors.pop(None)
        own = {name: at for name, at in floors.items() if name is not None and at != floor}
        return Stale(slots, hours, own, floor)

    def _buckets(self, version: int) -> Sequence[TableFile]:
        return self._tables[SAMPLES_5M.name].files(version)[1] if version >= 0 else ()

    def _floors(
        self, versions: Mapping[str, int], clusters: Sequence[str | None]
    ) -> dict[str | None, int]:
        """The times before which rows are taken out of `samples` or `samples_5m`, by cluster."""
        kept = [cutoffs.at(versions[name], clusters) for name, cutoffs in self._cutoffs.items()]
        return {cluster: max(of_table[cluster] for of_table in kept) for cluster in clusters}

    def _rolled_up(self, name: str, version: int) -> int | None:
        """The version of `samples` that is all in this version of a rollup table."""
        if version < 0:
            return None
        known = self._rolled.get((name, version))
        if known is None:
            noted = rolled_up(self._tables[name].delta(version))
            known = self._rolled.keep((name, version), (noted,))
        return known[0]

    def _between(self, one: int | None, other: int) -> Spans | None:
        """What changed between two versions of `samples`; None where nobody can tell.

        The rollups may be ahead of the samples where a snapshot was put together from times.
        """
        if one is None:
            return None
        spans: list[Span] = []
        for version in range(min(one, other) + 1, max(one, other) + 1):
            changed = self._changed.get(version)
            if changed is None:
                entry = self._read(version)
                if entry is None:
                    return None
                changed = self._changed.keep(version, changed_by(entry))
            spans += changed
        return union(spans)
