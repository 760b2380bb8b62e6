"""The one place where Arrow becomes a Panel, and scores become rows."""

import numpy as np
import pyarrow as pa

from detectors import Panel


def to_panel(cells: pa.Table, start_us: int, step_us: int, n_times: int) -> Panel:
    """A panel from sparse cells; whatever has no cell is NaN.

    Args:
        cells: columns `series_id` int64, `column` int64 in [0, n_times), `value` float64; at most
            one row a cell, any order.
        start_us: time of the first column, µs since 1970.
        step_us: width of a column, µs.
        n_times: number of columns.

    Returns:
        A panel whose rows are the distinct series, by ascending id.
    """
    ids, rows = np.unique(cells.column("series_id").to_numpy(), return_inverse=True)
    values = np.full((len(ids), n_times), np.nan, np.float32)
    values[rows, cells.column("column").to_numpy()] = cells.column("value").to_numpy()
    return Panel(values, start_us, step_us, ids)
