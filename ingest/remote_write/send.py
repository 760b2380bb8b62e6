"""A remote-write sender: what a Prometheus does, for the demo, benchmarks and tests."""

from collections.abc import Sequence

import httpx
import numpy as np
import numpy.typing as npt

from ingest.errors import SourceError
from ingest.remote_write import message

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


class Sender:
    """Sends samples of a fixed set of series; labels are encoded once.

    Args:
        client: with the receiver's address as its base.
        series: full label sets, `__name__` and `cluster` included.
    """

    def __init__(self, client: httpx.Client, series: Sequence[dict[str, str]]) -> None:
        self._client = client
        self._labels = [message.encode_labels(list(labels.items())) for labels in series]

    def send(
        self,
        series: npt.NDArray[np.int32],
        counts: npt.NDArray[np.int64],
        time_ms: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
    ) -> int:
        """Send one request and wait until it is acknowledged.

        Args:
            series: int32[n], places in the set given at construction.
            counts: int64[n], samples of each.
            time_ms: int64[total], by series.
            values: float64[total].

        Returns:
            Samples acknowledged.

        Raises:
            SourceError: the receiver did not acknowledge.
        """
        body = message.build([self._labels[int(one)] for one in series], counts, time_ms, values)
        reply = self._client.post("/api/v1/write", content=message.pack(body), headers=HEADERS)
        if reply.status_code != httpx.codes.NO_CONTENT:
            raise SourceError(str(reply.url), f"status {reply.status_code}: {reply.text[:500]}")
        return len(values)
