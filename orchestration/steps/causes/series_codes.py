"""Which rows of metrics are of one series, by their labels."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from orchestration.steps.causes.names import UNIT_NAMES

BEFORE, BASELINE, INCIDENT = 0, 1, 2
"""What a row is: before the incident, where the baseline is of another time; or one of these."""

MOST_CODES = 2**62


def _codes(frame: pl.DataFrame, name: str) -> npt.NDArray[np.uint32]:
    """A number for each of a column's texts, and one for none."""
    codes = frame[name].to_physical()
    if codes.null_count():
        codes = codes.cast(pl.UInt32).fill_null(codes.len())
    return codes.to_numpy()


def _begins(frame: pl.DataFrame, labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """The rows with other labels than the one before. Rows of a series mostly follow each other."""
    changed = np.zeros(max(frame.height - 1, 0), bool)
    for name in labels:
        codes = _codes(frame, name)
        changed |= codes[1:] != codes[:-1]
    return np.append(0, np.flatnonzero(changed) + 1)[: frame.height]


def _series_codes(frame: pl.DataFrame, labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """A number for each combination of labels."""
    codes = np.zeros(frame.height, np.int64)
    for name in labels:
        own = _codes(frame, name).astype(np.int64)
        width = int(own.max(initial=0)) + 1
        if int(codes.max(initial=0)) > MOST_CODES // width:
            codes = np.unique(codes, return_inverse=True)[1]
        codes = codes * width + own
    return codes


def _numbered(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Codes as numbers from 0, in their order."""
    return np.unique(codes, return_inverse=True)[1]


def series_codes(
    frame: pl.DataFrame,
    labels: Sequence[str],
    by: str,
    kind: npt.NDArray[np.int8],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The runs of rows of a series: where each begins, and the number of the series.

    Pods that others have followed are one series with those.

    A rollout gives a service's pods new names: none of them has both a baseline and an incident.

    Args:
        frame: a row a sample.
        labels: columns that name a series.
        by: the label whose values are ranked.
        kind: `[n]`, `BASELINE`, `INCIDENT` or something else.
    """
    begins = _begins(frame, labels)
    firsts = frame[begins]
    key = _numbered(_series_codes(firsts, labels))
    lasting = [name for name in labels if name == by or name not in UNIT_NAMES]
    if len(lasting) < len(labels):
        n = int(key.max(initial=-1)) + 1
        old, new = (_has(kind == one, begins, key, n) for one in (BASELINE, INCIDENT))
        broken = (old != new)[key]
        if broken.any():
            followed = _numbered(_series_codes(firsts, lasting))
            key = np.where(broken, n + followed, key)
    return begins, key


def _has(
    rows: npt.NDArray[np.bool_],
    begins: npt.NDArray[np.int64],
    key: npt.NDArray[np.int64],
    n: int,
) -> npt.NDArray[np.bool_]:
    """Whether each of `n` series has a row; of runs of rows, with the series of each."""
    found = np.zeros(n, bool)
    found[key[np.logical_or.reduceat(rows, begins)]] = True
    return found
