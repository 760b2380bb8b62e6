"""The one place where Arrow becomes a Panel, or hours of many series."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors import Panel
from detectors.season import Hours


def to_panel(cells: pa.Table, start_us: int, step_us: int, n_times: int) -> Panel:
    """A panel from sparse cells; whatever has no cell is NaN.

    Args:
        cells: columns `series_id` int64, `column` int64 in [0, n_times), `value` float64; at most
            one row a cell, any order.
        start_us: time of the first column, µs since 1970.
        step_us: width of a column, µs.
        n_times: number of columns.

    Returns:
        A panel whose rows are the distinct series, by ascending id. What float32 cannot hold, as
        the largest float64 that some exporters send for "no limit", is no data.
    """
    ids, rows = np.unique(cells.column("series_id").to_numpy(), return_inverse=True)
    values = np.full((len(ids), n_times), np.nan, np.float32)
    values[rows, cells.column("column").to_numpy()] = holdable(cells.column("value").to_numpy())
    return Panel(values, start_us, step_us, ids)


def to_hours(cells: pa.Table, start_us: int, n_hours: int) -> Hours:
    """Hours from sparse cells; what has no cell is NaN.

    Args:
        cells: columns `series_id` int64, `column` int64 in [0, n_hours), `mean`, `low`, `high`
            float64; at most one row a cell, any order.
        start_us: time of the first hour, µs since 1970.
        n_hours: number of hours.
    """
    ids, rows = np.unique(cells.column("series_id").to_numpy(), return_inverse=True)
    columns = cells.column("column").to_numpy()

    def grid(name: str) -> npt.NDArray[np.float32]:
        values = np.full((len(ids), n_hours), np.nan, np.float32)
        values[rows, columns] = holdable(cells.column(name).to_numpy())
        return values

    return Hours(grid("mean"), grid("low"), grid("high"), start_us, ids)


def holdable(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The values, NaN where a panel cannot hold them: infinite, or too large for float32.

    >>> holdable(np.array([1.0, float("inf"), 1e300]))
    array([ 1., nan, nan])
    """
    return np.where(np.abs(values) <= np.finfo(np.float32).max, values, np.nan)
