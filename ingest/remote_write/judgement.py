"""Which samples of a request are stored, which are left out on purpose, and which are refused."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingest.catalogue import DROPPED, OVER_LIMIT, Catalogue
from ingest.errors import IngestError, TimestampError
from ingest.keys import ABSENT, Numbers
from ingest.remote_write.admission import Admitted, admit
from ingest.remote_write.scan import Scan
from ingest.remote_write.times import WrongTimes, unknown_series, wrong_times
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
    wrong = wrong_times(request, rules)
    n_samples = len(request.time_ms)
    late = np.zeros(n_samples, np.bool_)
    for one in wrong:
        late |= one.samples
    numbers, tags, admitted, new = _resolve(request, late, catalogue, rules)
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
    for one in wrong:
        _refuse_times(judged, one, catalogue, rules)
    if rules.elect is not None and tags.any():
        _elect(judged, tags, catalogue, rules)
    return judged


def _resolve(
    request: Scan, late: Mask, catalogue: Catalogue, rules: Rules
) -> tuple[Numbers, Numbers, Admitted, npt.NDArray[np.int64]]:
    context = rules.sender.context(rules.sender.cluster)
    keys = catalogue.keys.hash(
        request.data, request.label_starts, request.label_ends, context.encode()
    )
    numbers, tags, missing = catalogue.keys.find(keys)
    if not missing:
        return numbers, tags, NO_SERIES, np.empty(0, np.int64)
    # A series of which nothing can be stored takes no room. What brings native histograms only is
    # looked at when they are converted.
    worth = np.bincount(_owners(request)[~late], minlength=len(request)) > 0
    new = np.flatnonzero((numbers == ABSENT) & worth)
    admitted = admit(request, new, rules, catalogue)
    numbers[new], tags[new] = admitted.numbers, admitted.tags
    known = new[admitted.numbers >= DROPPED]
    catalogue.remember(keys[known], numbers[known], tags[known])
    return numbers, tags, admitted, new


def _refuse_times(judged: Judged, wrong: WrongTimes, catalogue: Catalogue, rules: Rules) -> None:
    request = judged.request
    samples = np.flatnonzero(wrong.samples & ~(judged.refused | judged.left_out))
    judged.refused[samples] = True
    places = _owners(request)[samples]
    seen: dict[str, tuple[int, str]] = {}
    counts: Counter[str] = Counter()
    series, first, count = np.unique(places, return_index=True, return_counts=True)
    for place, at, n in zip(series.tolist(), first.tolist(), count.tolist(), strict=True):
        number = int(judged.numbers[place])
        if number < 0:
            name, cluster = unknown_series(request, place, rules)
        else:
            name, cluster = catalogue.name(number), catalogue.cluster_of(number)
        seen.setdefault(cluster, (int(samples[at]), name))
        counts[cluster] += n
    for cluster, (sample, name) in seen.items():
        at = int(request.time_ms[sample])
        error = TimestampError(name, at, wrong.rule, wrong.reason)
        judged.refuse(error, cluster, counts[cluster])


def _elect(judged: Judged, tags: Numbers, catalogue: Catalogue, rules: Rules) -> None:
    """Leave out the samples of replicas that are not elected.

    Asked last: a replica of which nothing can be stored must not keep out its partner.
    """
    assert rules.elect is not None  # noqa: S101 - asked by the caller
    request, numbers = judged.request, judged.numbers
    sound = np.bincount(_owners(request)[judged.stored], minlength=len(request)) > 0
    paired = np.flatnonzero((tags > 0) & (numbers >= 0) & sound)
    if not len(paired):
        return
    codes = catalogue.cluster_codes(numbers[paired])
    for (code, tag), (cluster, replica) in catalogue.senders(numbers[paired], tags[paired]).items():
        if rules.elect(cluster, replica, rules.now_us):
            continue
        theirs = np.zeros(len(request), np.bool_)
        theirs[paired[(codes == code) & (tags[paired] == tag)]] = True
        left_out = np.repeat(theirs, request.counts) & ~judged.refused
        judged.left_out |= left_out
        judged.deduplicated[cluster] += int(left_out.sum())


def _owners(request: Scan) -> npt.NDArray[np.int64]:
    """The place of the series of each sample."""
    return np.repeat(np.arange(len(request)), request.counts)
