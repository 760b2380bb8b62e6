"""A request again, as it is stored: without what was refused, with zeros where counters began."""

import numpy as np
import numpy.typing as npt

from ingest.remote_write import write_out
from ingest.remote_write.scan import Scan

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def encode_kept(request: Scan, samples: Mask, histograms: Mask, starts: Ints) -> bytes:
    """An uncompressed `prometheus.WriteRequest` (version 1) with the chosen parts of a request.

    Labels, histograms and descriptions are copied as they are.

    Args:
        request: of version 1 or 2.
        samples: bool[n_samples], the chosen ones.
        histograms: bool[n_histograms].
        starts: places of samples before which a 0 is stored, when their counter began.
    """
    began = np.zeros(len(samples), np.bool_)
    start_ms = request.time_ms if request.start_ms is None else request.start_ms
    if request.start_ms is not None:
        began[starts] = True
    time, start = request.time_ms.view(np.uint64), start_ms.view(np.uint64)
    bits = request.values.view(np.uint64)
    sizes = np.empty(len(request), np.int64)
    size = write_out.sizes_of_kept(
        request.label_starts, request.label_ends, request.counts, time, bits, start,
        request.histograms, samples, began, histograms, sizes,
    )  # fmt: skip
    out = np.empty(size + write_out.size_of_metadata(request.metadata), np.uint8)
    at = write_out.write_kept(
        request.data, request.label_starts, request.label_ends, request.counts, time, bits, start,
        request.body, request.histograms, samples, began, histograms, sizes, out,
    )  # fmt: skip
    write_out.write_metadata(request.body, request.metadata, out, at)
    return out.tobytes()
