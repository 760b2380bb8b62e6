import numpy as np
import pytest

from detectors import Panel
from detectors.errors import InvalidPanelError

GOOD = {"values": [[1.0, 2.0], [3.0, 4.0]], "start": 0, "step": 10, "series_id": [1, 2]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": [1.0, 2.0]}, "1 dimensions"),
        ({"values": [[[1.0]]]}, "3 dimensions"),
        ({"values": [["a", "b"]]}, "not a numeric matrix"),
        ({"values": [[1.0, np.inf], [3.0, 4.0]]}, "infinite value in row 0"),
        ({"values": [[1.0, 2.0], [3.0, -1e300]]}, "infinite value in row 1"),
        ({"step": 0}, "step 0"),
        ({"step": -5}, "not positive"),
        ({"series_id": [1]}, "1 series ids for 2 rows"),
        ({"series_id": [1, 1]}, "1 repeated"),
        ({"series_id": [1.5, 2.0]}, "float64"),
        ({"series_id": [[1, 2]]}, "2 dimensions"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(InvalidPanelError, match=message):
        Panel(**GOOD | change)


def test_narrows_and_lays_out_rows_contiguously():
    panel = Panel(np.asfortranarray(np.ones((3, 4))), 0, 10, [1, 2, 3])
    assert panel.values.dtype == np.float32
    assert panel.values.flags.c_contiguous


def test_no_copy_where_none_is_needed():
    values = np.ones((2, 3), dtype=np.float32)
    assert Panel(values, 0, 10, [1, 2]).values is values


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        (0, 100, [5, 15, 25]),
        (5, 25, [5, 15]),
        (6, 26, [15, 25]),
        (-50, 5, []),
        (-50, 6, [5]),
        (26, 99, []),
        (20, 10, []),
    ],
)
def test_window_is_half_open(start, end, times):
    panel = Panel([[1.0, 2.0, 3.0]], 5, 10, [1]).window(start, end)
    assert panel.times.tolist() == times
    assert panel.n_times == len(times)


def test_with_values_keeps_the_grid():
    panel = Panel(**GOOD)
    other = panel.with_values(panel.values + 1)
    assert (other.start, other.step, other.end) == (0, 10, 20)
    with pytest.raises(InvalidPanelError, match="shape"):
        panel.with_values([[1.0], [2.0]])


def test_empty_panel():
    panel = Panel(np.empty((0, 0)), 0, 10, [])
    assert (panel.n_series, panel.n_times, panel.end) == (0, 0, 0)
