"""Which samples of a request are stored, which are left out on purpose, and which are refused."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from ingest.catalogue import DROPPED, OVER_LIMIT, Catalogue
from ingest.errors import IngestError, TimestampError
from ingest.keys import ABSENT, Numbers
from ingest.remote_write.admission import Admitted, admit
from ingest.remote_write.scan import Scan
from ingest.rules import Rules

Mask = npt.NDArray[np.bool_]

NO_SERIES = Admitted(np.empty(0, np.int32), np.empty(0, np.int32))


@dataclass(slots=True)
class Judged:
    """The samples of a request by what becomes of them.

    Attributes:
        request: whose samples they are.
        numbers: int32[n_series], the catalogue's; negative where there is none.
        new: places of series that were never seen before.
        refused: bool[n_samples], they break a rule.
        left_out: bool[n_samples], dropped by relabelling, or the other replica's.
        refusals: samples by (cluster, short name of the rule).
        first: the first rule broken.
        deduplicated: samples left to the other replica, by cluster.
        relabelled: samples left out by relabelling.
    """

    request: Scan
    numbers: Numbers
    new: npt.NDArray[np.int64]
    refused: Mask
    left_out: Mask
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: IngestError | None = None
    deduplicated: Counter[str] = field(default_factory=Counter)
    relabelled: int = 0

    @property
    def stored(self) -> Mask:
        """What is neither refused nor left out."""
        return ~(self.refused | self.left_out)

    def refuse(self, error: IngestError, cluster: str, samples: int) -> None:
        """Note a rule that so many samples break."""
        self.first = self.first or error
        self.refusals[cluster, error.reason] += samples


def judge(request: Scan, catalogue: Catalogue, rules: Rules) -> Judged:
    """Number the series of a request and judge each sample.

    Raises:
        TooManySeriesError: new series where no more fit; nothing was taken.
    """
    numbers, tags, admitted, new = _resolve(request, catalogue, rules)
    n_samples = len(request.time_ms)
    judged = Judged(
        request, numbers, new, np.zeros(n_samples, np.bool_), np.zeros(n_samples, np.bool_)
    )
    for place, (error, cluster) in admitted.refusals.items():
        judged.refuse(error, cluster, int(request.counts[place]))
    if len(numbers) and numbers.min() < 0:
        judged.refused |= np.repeat(numbers <= OVER_LIMIT, request.counts)
        dropped = numbers == DROPPED
        judged.left_out |= np.repeat(dropped, request.counts)
        judged.relabelled = int(request.counts[dropped].sum())
    if rules.elect is not None and tags.any():
        _elect(judged, tags, catalogue, rules)
    _check_times(judged, catalogue, rules)
    return judged


def _resolve(
    request: Scan, catalogue: Catalogue, rules: Rules
) -> tuple[Numbers, Numbers, Admitted, npt.NDArray[np.int64]]:
    context = rules.sender.context(rules.sender.cluster)
    keys = catalogue.keys.hash(
        request.data, request.label_starts, request.label_ends, context.encode()
    )
    numbers, tags, missing = catalogue.keys.find(keys)
    if not missing:
        return numbers, tags, NO_SERIES, np.empty(0, np.int64)
    new = np.flatnonzero(numbers == ABSENT)
    # What brings native histograms only is looked at when they are converted.
    new = new[request.counts[new] > 0]
    admitted = admit(request, new, rules, catalogue)
    numbers[new], tags[new] = admitted.numbers, admitted.tags
    known = new[admitted.numbers >= DROPPED]
    catalogue.remember(keys[known], numbers[known], tags[known])
    return numbers, tags, admitted, new


def _elect(judged: Judged, tags: Numbers, catalogue: Catalogue, rules: Rules) -> None:
    """Leave out the samples of replicas that are not elected."""
    assert rules.elect is not None  # noqa: S101 - asked by the caller
    request, numbers = judged.request, judged.numbers
    paired = np.flatnonzero((tags > 0) & (numbers >= 0))
    if not len(paired):
        return
    codes = catalogue.cluster_codes(numbers[paired])
    for (code, tag), (cluster, replica) in catalogue.senders(numbers[paired], tags[paired]).items():
        if rules.elect(cluster, replica, rules.now_us):
            continue
        theirs = np.zeros(len(request), np.bool_)
        theirs[paired[(codes == code) & (tags[paired] == tag)]] = True
        judged.left_out |= np.repeat(theirs, request.counts)
        judged.deduplicated[cluster] += int(request.counts[theirs].sum())


def _check_times(judged: Judged, catalogue: Catalogue, rules: Rules) -> None:
    time_ms = judged.request.time_ms
    if len(time_ms) == 0:
        return
    lowest, highest = _ms(rules.earliest), _ms(rules.latest)
    if int(time_ms.min()) >= max(lowest, 0) and int(time_ms.max()) <= highest:
        return
    series = np.repeat(np.arange(len(judged.request)), judged.request.counts)
    for wrong, reason, rule in _time_rules(time_ms, lowest, highest, rules):
        wrong &= ~(judged.refused | judged.left_out)
        judged.refused |= wrong
        places = series[wrong]
        for cluster, count in catalogue.count_by_cluster(judged.numbers[places]):
            first = int(np.argmax(wrong))
            name = catalogue.name(int(judged.numbers[series[first]]))
            judged.refuse(TimestampError(name, int(time_ms[first]), rule, reason), cluster, count)


def _time_rules(
    time_ms: npt.NDArray[np.int64], lowest: int, highest: int, rules: Rules
) -> Iterator[tuple[Mask, str, str]]:
    latest, earliest = rules.latest.isoformat(), rules.earliest.isoformat()
    yield (
        time_ms > highest,
        "future",
        f"is later than {latest}, the latest accepted: is the sender's clock right?",
    )
    yield time_ms < 0, "past", "is before 1970: is the sender's clock right?"
    yield (
        time_ms < lowest,
        "past",
        f"is earlier than {earliest}, the earliest accepted over the wire "
        "(import older data from files)",
    )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
