"""When a series reaches a threshold, and how sure that is.

Several methods foretell each series; how right each was at earlier columns of the same series says
how much it counts, and its errors there say how far off it may be now.
"""

from detectors.forecasting.forecast import COLUMNS, Forecasts, Reason, forecast
from detectors.forecasting.kernels import METHODS
from detectors.forecasting.passed import passed_between

__all__ = ["COLUMNS", "METHODS", "Forecasts", "Reason", "forecast", "passed_between"]
