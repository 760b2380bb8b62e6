"""When versions of a table were committed, by the writers' clocks as the log tells them."""

import json
from datetime import datetime, timedelta

from lake.store import LOG, Store
from lake.timerange import EPOCH

MILLISECOND = timedelta(milliseconds=1)

SKEW = timedelta(minutes=1)
"""Writers' clocks are taken to agree to half of this."""

KEPT_TIMES = 100_000
"""A few megabytes. A version's time never changes, and to read it is a request to the store."""


class CommitTimes:
    """The times of one table's versions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[int, datetime] = {}

    def at(self, version: int) -> datetime | None:
        """When the version was committed; None where the log does not tell, or not any more."""
        told = self._told.get(version)
        if told is None:
            told = self._read(version)
            if told is not None:
                if len(self._told) >= KEPT_TIMES:
                    self._told.clear()
                self._told[version] = told
        return told

    def oldest(self, newest: int) -> int:
        """The oldest version whose time the log tells: it is cleaned up from its beginning on."""
        low, high = 0, newest
        while low < high:
            middle = (low + high) // 2
            if self.at(middle) is None:
                low = middle + 1
            else:
                high = middle
        return low

    def version_at(self, moment: datetime, newest: int) -> int | None:
        """The last version before the first one that was committed after the moment.

        The versions around the moment are looked at one by one, since the clocks of two writers
        may differ and their commits stand in the log in another order than their times. So an
        answer does not change as the table grows.

        Returns:
            None where all versions that the log tells of are later.
        """
        oldest = self.oldest(newest)
        low, high = oldest, newest + 1
        while low < high:
            middle = (low + high) // 2
            told = self.at(middle)
            if told is None or told <= moment - SKEW:
                low = middle + 1
            else:
                high = middle
        while low <= newest:
            told = self.at(low)
            if told is not None and told > moment:
                break
            low += 1
        return low - 1 if low > oldest else None

    def _read(self, version: int) -> datetime | None:
        content = self._store.read(f"{LOG}/{version:020d}.json")
        for line in (content or b"").splitlines():
            try:
                info = json.loads(line).get("commitInfo") or {}
            except ValueError:
                return None  # a commit that is being written, or was cut off
            if "timestamp" in info:
                return EPOCH + int(info["timestamp"]) * MILLISECOND
        return None
