"""Where a counter began: a sample of 0 at its created timestamp, as Prometheus injects it.

Remote write 2.0 says with each sample when its counter began. Without a 0 there, what was counted
before the first sample is in no rate. It is stored once for each start, and only if that is within
the hour before the sample: an older start says nothing that a rate could use. What an earlier
process may have stored is not stored again: it is not told from the lake, but by when that process
was last sent something (`Rules.starts_after_ms`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.catalogue import Catalogue
from ingest.remote_write.judgement import Judged
from ingest.rules import Rules
from ingest.samples import SampleBatch

RECENT_MS = 3_600_000

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Starts:
    """What a request says of counters' starts and nobody has said before.

    Attributes:
        places: int64[n] of the samples that say it.
        numbers: int64[m] of the series whose starts are noted, news or not.
        starts_ms: int64[m] since 1970.
        before_ms: int64[m] what was noted before.
    """

    places: Ints
    numbers: Ints
    starts_ms: Ints
    before_ms: Ints

    def undo(self, catalogue: Catalogue) -> None:
        """They could not be stored: whoever says it next is the first."""
        if len(self.numbers):
            catalogue.forget_starts(self.numbers, self.starts_ms, self.before_ms)


NO_STARTS = Starts(*np.empty((4, 0), np.int64))


def news_of_starts(judged: Judged, catalogue: Catalogue, rules: Rules) -> Starts:
    """What the request says of starts, noted; to be undone where it is not stored."""
    request, starts = judged.request, judged.request.start_ms
    if starts is None:
        return NO_STARTS
    ahead = request.time_ms - starts
    recent = judged.stored & (starts > rules.starts_after_ms) & (ahead > 0) & (ahead <= RECENT_MS)
    places = np.flatnonzero(recent)
    numbers = np.repeat(judged.numbers, request.counts)[places].astype(np.int64)
    pairs, first = np.unique(np.stack([numbers, starts[places]]), axis=1, return_index=True)
    before_ms = catalogue.note_starts(pairs[0], pairs[1])
    return Starts(np.sort(places[first[pairs[1] > before_ms]]), pairs[0], pairs[1], before_ms)


def zeros_at_starts(judged: Judged, places: Ints) -> SampleBatch:
    """The samples of 0 at the starts that the samples at these places tell."""
    numbers = np.repeat(judged.numbers, judged.request.counts)[places]
    starts = judged.request.start_ms
    times = np.empty(0, np.int64) if starts is None else starts[places]
    return SampleBatch(numbers, times, np.zeros(len(places)))
