"""A compact form of `WindowMemory` that only answers for the newest window: what it would cost.

64 windows a length instead of 128, one byte a mean instead of four, and no distance but that of the
newest column. A prototype for `benchmarks/detection.py`; the package has no such class yet.
"""

from dataclasses import dataclass

import numba
import numpy as np

from detectors.memory import WindowMemory
from detectors.memory.kernels import LEAST_COVER, over_rows

# Series dealt to a thread at once.
BLOCK = 4096
# Largest quantised mean: a signed byte's, the same on both sides.
MOST = 127.0


@dataclass(frozen=True)
class CompactWindows:
    """A fitted memory of many series, in bytes.

    Attributes:
        lengths: of the windows, in columns; width: columns in a bin of each.
        memory: int8 `[n_series, bins of all lengths, n_windows]`.
        grain: float32 `[n_series, n_lengths]`, what 1 stands for in `memory`, in scales.
        unit: float32, same shape, distance of each length that is 1.
        centre, scale, threshold: float32 `[n_series]`.
    """

    lengths: tuple[int, ...]
    memory: np.ndarray
    grain: np.ndarray
    unit: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    threshold: np.ndarray

    @classmethod
    def of(cls, detector: WindowMemory) -> "CompactWindows":
        """The memory of a fitted detector, rounded."""
        arrays = detector.to_arrays()
        parts, grains = [], []
        for length in detector.lengths:
            means = arrays[f"memory_{length}"].copy()
            # Unused places hold the first window once more: no distance becomes another.
            unused = np.isinf(means[:, 0])
            np.copyto(means, means[:, :, :1], where=unused[:, None, :])
            grain = np.maximum(np.abs(means).max(axis=(1, 2)), 1e-6) / MOST
            parts.append(np.rint(means / grain[:, None, None]).astype(np.int8))
            grains.append(grain)
        return cls(
            lengths=detector.lengths,
            memory=np.concatenate(parts, axis=1),
            grain=np.stack(grains, axis=1).astype(np.float32),
            unit=arrays["units"],
            centre=arrays["centre"].astype(np.float32),
            scale=arrays["scale"].astype(np.float32),
            threshold=arrays["threshold"],
        )

    def tiled(self, n_series: int) -> "CompactWindows":
        """The same series again and again, up to so many."""
        picked = np.arange(n_series) % len(self.centre)
        arrays = (self.memory, self.grain, self.unit, self.centre, self.scale, self.threshold)
        return CompactWindows(self.lengths, *(array[picked] for array in arrays))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.memory, self.grain, self.unit, self.centre, self.scale, self.threshold)
        return sum(array.nbytes for array in arrays)

    def newest(self, recent: np.ndarray) -> np.ndarray:
        """Score the last column of the values, float32 `[n_series, longest length]`."""
        score = np.empty(len(recent), dtype=np.float32)
        bins = np.array([min(length, 16) for length in self.lengths])
        widths = np.array(self.lengths) // bins

        def work(rows: slice) -> None:
            _newest(
                recent,
                self.memory,
                self.grain,
                self.unit,
                self.centre,
                self.scale,
                bins,
                widths,
                rows.start,
                rows.stop,
                score,
            )

        over_rows(work, len(recent), BLOCK)
        return score / self.threshold


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _newest(recent, memory, grain, unit, centre, scale, bins, widths, first, last, score):
    square = np.empty(memory.shape[2], dtype=np.float32)
    end = recent.shape[1]
    for i in range(first, last):
        best = np.float32(np.nan)
        at = 0
        for part in range(bins.size):
            square[:] = np.float32(0.0)
            filled = 0
            for b in range(bins[part]):
                begin = end - (bins[part] - b) * widths[part]
                total, count = 0.0, 0
                for t in range(begin, begin + widths[part]):
                    if not np.isnan(recent[i, t]):
                        total += recent[i, t]
                        count += 1
                if count:
                    filled += 1
                    z = (total / count - centre[i]) / scale[i]
                    means = np.float32(z / grain[i, part])
                    for k in range(square.size):
                        off = means - np.float32(memory[i, at + b, k])
                        square[k] += off * off
            at += bins[part]
            if filled >= LEAST_COVER * bins[part] and not np.isnan(recent[i, end - 1]):
                loud = np.sqrt(square.min() / filled) * grain[i, part] / unit[i, part]
                best = np.float32(loud) if np.isnan(best) else max(best, np.float32(loud))
        score[i] = best
