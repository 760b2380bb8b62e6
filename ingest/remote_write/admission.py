"""Series that were never seen: named, checked against the rules, numbered.

Regular ones (all that a real sender writes) stay bytes; the others are taken apart one by one, to
be repaired or to say what is wrong with them. One bad series does not keep out the others.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingest.catalogue import COLLIDING, DROPPED, ID_TAKEN, OVER_LIMIT, Catalogue
from ingest.errors import (
    BadRequestError,
    ClusterMissingError,
    IngestError,
    InvalidLabelsError,
    SeriesLimitError,
)
from ingest.keys import Numbers
from ingest.naming import Named, canonical
from ingest.remote_write import message
from ingest.remote_write.scan import Scan
from ingest.rules import Rules
from ingest.series import Series, id_of, identify

REFUSED = -4
"""In place of a number: the series breaks a rule."""

Places = npt.NDArray[np.int64]


@dataclass(slots=True)
class Admitted:
    """What became of new series, in the order asked.

    Attributes:
        numbers: the catalogue's, or `DROPPED`, `OVER_LIMIT`, `REFUSED`.
        tags: the replica that sent each, as the catalogue's code + 1; 0 = it says none.
        refusals: by place in the request, the rule that the series breaks, and its cluster.
    """

    numbers: Numbers
    tags: Numbers
    refusals: dict[int, tuple[IngestError, str]] = field(default_factory=dict)


def admit(scan: Scan, places: Places, rules: Rules, catalogue: Catalogue) -> Admitted:
    """Number the series at these places of a request.

    Raises:
        TooManySeriesError: no more fit; none was numbered.
    """
    done = Admitted(np.full(len(places), REFUSED, np.int32), np.zeros(len(places), np.int32))
    regular, named = _regular(scan, places, rules)
    irregular = np.setdiff1d(np.arange(len(places)), regular, assume_unique=True)
    kept, extra = [], []
    for index in irregular.tolist():
        place = int(places[index])
        try:
            series, replica = _identify(scan, place, rules)
            if series is not None and replica:
                done.tags[index] = catalogue.replicas.tag(series.cluster, replica)
        except BadRequestError as error:
            done.refusals[place] = error, rules.sender.cluster or ""
            continue
        if series is None:
            done.numbers[index] = DROPPED
        else:
            kept.append(index)
            extra.append(series)
    for chosen, of in ((regular, named), (np.array(kept, np.int64), Named.of(extra))):
        if len(chosen):
            _number(done, places, chosen, of, rules, catalogue)
    return done


def _number(
    done: Admitted,
    places: Places,
    chosen: Places,
    named: Named,
    rules: Rules,
    catalogue: Catalogue,
) -> None:
    numbers = catalogue.number_all(named, rules.now_us)
    done.numbers[chosen] = numbers
    for index in np.flatnonzero(numbers == OVER_LIMIT).tolist():
        cluster = named.clusters[index].decode()
        error = SeriesLimitError(cluster, catalogue.max_of_cluster)
        done.refusals[int(places[chosen[index]])] = error, cluster
    for index in np.flatnonzero(numbers == COLLIDING).tolist():
        place = int(places[chosen[index]])
        done.refusals[place] = (
            InvalidLabelsError(f"number {place}", ID_TAKEN),
            named.clusters[index].decode(),
        )


def _regular(scan: Scan, places: Places, rules: Rules) -> tuple[Places, Named]:
    """Those that can stay bytes, by their place among `places`."""
    none = np.empty(0, np.int64), Named.of([])
    if rules.relabel is not None:
        return none
    limits = rules.labels
    made = canonical(
        scan.data,
        scan.label_starts[places],
        scan.label_ends[places],
        rules.sender.cluster,
        replica_label=rules.replica_label,
        max_labels=limits.labels,
        max_name=limits.name_bytes,
        max_value=limits.value_bytes,
    )
    data = made.data.tobytes()
    clusters = [data[start:end] for start, end in made.clusters.tolist()]
    regular = made.bounds[:, 1] > made.bounds[:, 0]
    if rules.sender.allowed is not None:
        allowed = {name.encode() for name in rules.sender.allowed}
        regular &= np.fromiter((one in allowed for one in clusters), np.bool_, len(clusters))
    chosen = np.flatnonzero(regular)
    labels = [data[start:end] for start, end in made.bounds[chosen].tolist()]
    return chosen, Named(
        np.fromiter(map(id_of, labels), np.int64, len(labels)),
        labels,
        [data[start:end] for start, end in made.metrics[chosen].tolist()],
        [clusters[index] for index in chosen.tolist()],
    )


def _identify(scan: Scan, place: int, rules: Rules) -> tuple[Series | None, str]:
    """The series (None = relabelling leaves it out) and the replica that sends it."""
    pairs = _pairs(scan, place, rules)
    replica = ""
    if rules.replica_label:
        replica = next((value for name, value in pairs if name == rules.replica_label), "")
        pairs = [pair for pair in pairs if pair[0] != rules.replica_label]
    series: Series | None = identify(pairs, rules.sender.cluster)
    if rules.relabel is not None and series is not None:
        rules.sender.check(series.cluster)
        labels = rules.relabel(dict(series.labels))
        series = None if labels is None else _relabelled(labels)
    if series is not None:
        rules.sender.check(series.cluster)
    return series, replica


def _relabelled(labels: dict[str, str]) -> Series:
    if not labels.get("cluster"):
        raise ClusterMissingError(f"series {labels} after relabelling")
    return identify(labels.items())


def _pairs(scan: Scan, place: int, rules: Rules) -> list[tuple[str, str]]:
    limits = rules.labels
    start, end = int(scan.label_starts[place]), int(scan.label_ends[place])
    raw = message.label_pairs(scan.data[start:end].tobytes())
    if len(raw) > limits.labels:
        raise InvalidLabelsError(
            f"number {place}",
            f"has {len(raw)} labels, at most {limits.labels} are accepted (`ingest.max_labels`)",
        )
    pairs = []
    for name, value in raw:
        for what, text, limit, setting in (
            ("name", name, limits.name_bytes, "max_label_name_bytes"),
            ("value", value, limits.value_bytes, "max_label_value_bytes"),
        ):
            if len(text) > limit:
                raise InvalidLabelsError(
                    f"number {place}",
                    f"label {name[:80]!r} has a {what} of {len(text)} bytes, at most {limit} are "
                    f"accepted (`ingest.{setting}`)",
                )
        try:
            pairs.append((name.decode(), value.decode()))
        except UnicodeDecodeError as error:
            raise InvalidLabelsError(
                f"number {place}", f"label {name!r} or its value {value!r} is not UTF-8"
            ) from error
    return pairs
