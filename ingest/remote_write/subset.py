"""A request again, as it is stored: without what was refused, with zeros where counters began."""

import numpy as np
import numpy.typing as npt

from ingest.remote_write.message import WriteRequest
from ingest.remote_write.scan import Scan

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def encode_kept(request: Scan, samples: Mask, histograms: Mask, starts: Ints) -> bytes:
    """An uncompressed `prometheus.WriteRequest` (version 1) with the chosen parts of a request.

    Args:
        request: of version 1 or 2.
        samples: bool[n_samples], the chosen ones.
        histograms: bool[n_histograms].
        starts: places of samples before which a 0 is stored, when their counter began.
    """
    began = (
        {}
        if request.start_ms is None
        else dict(zip(starts.tolist(), request.start_ms[starts].tolist(), strict=True))
    )
    ends = np.cumsum(request.counts)
    made = WriteRequest()
    of_series: dict[int, list[bytes]] = {}
    for series, start, end in request.histograms[histograms].tolist():
        of_series.setdefault(series, []).append(request.body[start:end].tobytes())
    with_samples = np.flatnonzero(np.bincount(_owners(request)[samples], minlength=len(request)))
    for place in sorted({*with_samples.tolist(), *of_series}):
        start, end = int(request.label_starts[place]), int(request.label_ends[place])
        one = made.timeseries.add()
        one.MergeFromString(request.data[start:end].tobytes())
        first = int(ends[place] - request.counts[place])
        for index in (np.flatnonzero(samples[first : ends[place]]) + first).tolist():
            if index in began:
                one.samples.add(value=0.0, timestamp=began[index])
            one.samples.add(
                value=float(request.values[index]), timestamp=int(request.time_ms[index])
            )
        one.histograms.extend(of_series.get(place, ()))
    for start, end in request.metadata.tolist():
        made.metadata.add().MergeFromString(request.body[start:end].tobytes())
    return bytes(made.SerializeToString())


def _owners(request: Scan) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(request)), request.counts)
