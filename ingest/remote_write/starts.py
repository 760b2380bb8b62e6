"""Where a counter began: a sample of 0 at its created timestamp, as Prometheus injects it.

Remote write 2.0 says with each sample when its counter began. Without a 0 there, what was counted
before the first sample is in no rate. It is stored once for each start, and only if that is within
the hour before the sample: an older start says nothing that a rate could use. What an earlier
process may have stored is not stored again: it is not told from the lake, but by when that process
was last sent something (`Rules.starts_after_ms`).
"""

import numpy as np
import numpy.typing as npt

from ingest.catalogue import Catalogue
from ingest.remote_write.judgement import Judged
from ingest.rules import Rules
from ingest.samples import SampleBatch

RECENT_MS = 3_600_000

Ints = npt.NDArray[np.int64]


def news_of_starts(judged: Judged, catalogue: Catalogue, rules: Rules) -> Ints:
    """Places of the samples that say of a counter's start what nobody has said before."""
    request, starts = judged.request, judged.request.start_ms
    if starts is None:
        return np.empty(0, np.int64)
    ahead = request.time_ms - starts
    recent = judged.stored & (starts > rules.starts_after_ms) & (ahead > 0) & (ahead <= RECENT_MS)
    places = np.flatnonzero(recent)
    numbers = np.repeat(judged.numbers, request.counts)[places].astype(np.int64)
    pairs, first = np.unique(np.stack([numbers, starts[places]]), axis=1, return_index=True)
    news = catalogue.note_starts(pairs[0], pairs[1])
    return np.sort(places[first[news]])


def zeros_at_starts(judged: Judged, places: Ints) -> SampleBatch:
    """The samples of 0 at the starts that the samples at these places tell."""
    numbers = np.repeat(judged.numbers, judged.request.counts)[places]
    starts = judged.request.start_ms
    times = np.empty(0, np.int64) if starts is None else starts[places]
    return SampleBatch(numbers, times, np.zeros(len(places)))
