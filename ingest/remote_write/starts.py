"""Where a counter began: a sample of 0 at its created timestamp, as Prometheus injects it.

Remote write 2.0 says with each sample when its counter began. Without a 0 there, what was counted
before the first sample is in no rate. It is stored once for each start, and only if that is within
the hour before the sample: an older start says nothing that a rate could use.
"""

import numpy as np

from ingest.catalogue import Catalogue
from ingest.remote_write.judgement import Judged
from ingest.samples import SampleBatch

RECENT_MS = 3_600_000


def zeros_at_starts(judged: Judged, catalogue: Catalogue) -> SampleBatch | None:
    """Samples of 0 for the starts that are news."""
    request = judged.request
    if request.start_ms is None:
        return None
    ahead = request.time_ms - request.start_ms
    recent = judged.stored & (request.start_ms > 0) & (ahead > 0) & (ahead <= RECENT_MS)
    numbers = np.repeat(judged.numbers, request.counts)[recent]
    pairs = np.unique(np.stack([numbers.astype(np.int64), request.start_ms[recent]]), axis=1)
    news = catalogue.note_starts(pairs[0], pairs[1])
    if not news.any():
        return None
    numbers, starts = pairs[0][news].astype(np.int32), pairs[1][news]
    return SampleBatch(numbers, starts, np.zeros(len(starts)))
