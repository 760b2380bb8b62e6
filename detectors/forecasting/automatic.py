"""The forecaster `statsforecast`: exponential smoothing, whose form it chooses for each series."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.forecasting.forecast import LEAST_VALUES
from detectors.forecasting.kernels import filled

Float64 = npt.NDArray[np.float64]

LOOK_BACK = 288
"""Columns that are fitted: six horizons. A fit of a week takes ten times as long, and the newest
values decide."""


class Automatic:
    """AutoETS of statsforecast, from the extra `forecasts`.

    Error and trend are additive or multiplicative, the trend damped or not, as the corrected
    information criterion says; of seasons the light methods know. About 15 ms a row.

    Raises:
        ImportError: statsforecast is not installed.
    """

    def __init__(self) -> None:
        # Takes seconds and 200 MB, and is an extra.
        from statsforecast.models import AutoETS  # noqa: PLC0415

        self._model = AutoETS(season_length=1, model="ZZN")

    def paths(self, values: Float64, horizon: int) -> Float64:
        """Foretell `[n, horizon]`; a row of fewer than `LEAST_VALUES` columns is NaN."""
        out = np.full((len(values), horizon), np.nan)
        for row, series in enumerate(values):
            x = np.empty(len(series))
            first = max(filled(series, x), len(series) - LOOK_BACK)
            if len(series) - first >= LEAST_VALUES:
                told = self._model.forecast(np.ascontiguousarray(x[first:]), horizon)
                out[row] = told["mean"]
        return out
