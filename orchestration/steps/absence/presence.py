"""Which series have a sample in which column: one query, a bit a column."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from detectors.absence import WORD
from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, from_micros

Int64 = npt.NDArray[np.int64]

# A sample is a sign of life whatever its value. Rollups leave NaN out: so not from them.
PRESENCE = """
SELECT series_id, epoch_us(time) // $word_us AS word,
       bit_or(1::BIGINT << CAST(epoch_us(time) // $step_us % $bits AS INTEGER)) AS bits
FROM samples
WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
GROUP BY series_id, 2
"""


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """Bits of a range of columns.

    Attributes:
        ids: of the series that have any, ascending.
        words: `[n, n_words]`.
        first: column of the first bit, a multiple of `WORD`.
    """

    ids: Int64
    words: Int64
    first: int

    def slice(self, first: int, end: int) -> Int64:
        """The words of columns that are multiples of `WORD`."""
        return self.words[:, (first - self.first) // WORD : (end - self.first) // WORD]


def read(snapshot: Snapshot, first: int, end: int, step: timedelta) -> Presence:
    """Presence in columns `[first, end)`, numbered since 1970, of all clusters; words are whole.

    Args:
        snapshot: where samples are.
        first: the first column.
        end: the column after the last; nothing later is read.
        step: width of a column.
    """
    step_us = step // MICROSECOND
    between = TimeRange(from_micros(first * step_us), from_micros(end * step_us))
    params = {
        "first_day": between.start.date(),
        "last_day": between.end.date(),
        "start": between.start,
        "end": between.end,
        "word_us": WORD * step_us,
        "step_us": step_us,
        "bits": WORD,
    }
    cells = run(snapshot, PRESENCE, params, between).rows
    begin, n_words = first // WORD, -(-end // WORD) - first // WORD
    own, rows = np.unique(cells.column("series_id").to_numpy(), return_inverse=True)
    words = np.zeros((own.size, n_words), np.int64)
    words[rows, cells.column("word").to_numpy() - begin] = cells.column("bits").to_numpy()
    return Presence(own, words, begin * WORD)
