"""What a detector is tried on: made-up series, and one fitted detector for all laws."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from detectors.base import Detector
from detectors.errors import LawBrokenError
from detectors.panel import Panel

Float32 = npt.NDArray[np.float32]
Factory = Callable[[], Detector]

MINUTE = 60_000_000
N_SERIES = 2
# Columns to learn from: six hours, and more for a detector that looks far back.
LEAST_TRAIN, TRAIN_CONTEXTS = 360, 3
# After training: so many columns until the injected fault; the fault; and after the detector's
# context, so many more.
CALM, FAULT, AFTER = 60, 20, 40
# Matrix products of borrowed models round differently for other shapes.
TOLERANCE = 1e-3


class Trial:
    """A maker of unfitted detectors, all alike, and the panels that they are tried on.

    Fitting is what costs: laws that only score share one fitted detector.

    Args:
        make: returns an unfitted detector.
    """

    def __init__(self, make: Factory) -> None:
        self.make = make
        self.scope = make().scope
        self.context = make().context
        self.n_train = max(LEAST_TRAIN, TRAIN_CONTEXTS * self.context)
        begin = self.n_train + CALM
        # A shift that lasts: what looks back on a hundred columns must be able to see it.
        lasting = max(FAULT, self.context)
        self.fault = slice(begin, begin + lasting)
        self.n_times = begin + lasting + self.context + AFTER

    @cached_property
    def panel(self) -> Panel:
        """Normal series, training and after."""
        return normal_panel(n_times=self.n_times)

    @cached_property
    def fitted(self) -> Detector:
        """Fitted on the training columns of `panel`; laws leave it as it is."""
        return self.make().fit(self.training(self.panel))

    @cached_property
    def spoilt(self) -> Panel:
        """Rows with gaps, with nothing at all, with one point to learn from, and a whole one."""
        whole = self.panel.values
        gaps, nothing, point = whole[0].copy(), np.full_like(whole[0], np.nan), whole[0].copy()
        gaps[: self.n_train // 2 : 17] = np.nan
        gaps[self.n_train // 2 : self.n_train // 2 + 60] = np.nan
        point[: self.n_train - 1] = np.nan
        rows = np.stack([gaps, nothing, point, whole[1]])
        return Panel(rows, 0, MINUTE, np.arange(len(rows)))

    @cached_property
    def spoilt_fitted(self) -> Detector:
        """Fitted on the training columns of `spoilt`, with warnings as errors."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return self.make().fit(self.training(self.spoilt))

    @cached_property
    def again(self) -> Detector:
        """A clone of `fitted`, fitted on the same."""
        copy = type(self.fitted)(**self.fitted.get_params())
        return copy.fit(self.training(self.panel))

    def training(self, panel: Panel) -> Panel:
        """The columns to learn from."""
        return panel.window(0, self.n_train * MINUTE)


def normal_panel(seed: int = 0, n_series: int = N_SERIES, n_times: int = 480) -> Panel:
    """Return a panel of hourly waves with noise, in units from milliseconds to bytes."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0.0, 2.0 * np.pi, size=(n_series, 1))
    wave = np.sin(2.0 * np.pi * np.arange(n_times) / 60.0 + phase)
    noise = rng.normal(size=(n_series, n_times))
    unit = 10.0 ** np.linspace(-3.0, 9.0, n_series)[:, None]
    values = unit * (10.0 + wave + 0.3 * noise)
    return Panel(values, 0, MINUTE, 100 + np.arange(n_series))


def require(law: str, holds: bool, reason: str) -> None:
    """Raise `LawBrokenError` unless it holds."""
    if not holds:
        raise LawBrokenError(law, reason)


def same(law: str, wanted: Float32, found: Float32, reason: str) -> None:
    """Raise `LawBrokenError` where two arrays of scores differ by more than rounding."""
    if wanted.shape != found.shape:
        raise LawBrokenError(law, f"shape {found.shape} in place of {wanted.shape}")
    close = np.isclose(wanted, found, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    if not close.all():
        row, column = (int(spot[0]) for spot in np.nonzero(~close))
        raise LawBrokenError(
            law,
            f"scores depend on {reason}: row {row}, column {column} scores "
            f"{wanted[row, column]:.4g}, then {found[row, column]:.4g}",
        )
