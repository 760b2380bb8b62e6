import numpy as np
import pytest

from detectors import Scores, find_intervals
from detectors.errors import InvalidParameterError


def scores(*rows):
    matrix = np.array(rows, dtype=np.float32)
    return Scores(matrix, np.exp(-np.nan_to_num(matrix)).astype(np.float32))


def spans(found):
    return list(zip(found.row.tolist(), found.start.tolist(), found.end.tolist(), strict=True))


@pytest.mark.parametrize(
    ("row", "min_length", "merge_gap", "expected"),
    [
        ([0, 1, 1, 0, 0], 1, 0, [(1, 3)]),
        ([0, 0.9, 1, 0.9, 0.5], 1, 0, [(2, 4)]),  # starts at 1.0, goes on at 0.8
        ([0, 0.9, 0.9, 0.9, 0], 1, 0, []),  # never started
        ([2, 0, 0, 2, 0], 1, 1, [(0, 1), (3, 4)]),
        ([2, 0, 0, 2, 0], 1, 2, [(0, 4)]),
        ([2, 0, 0, 2, 0], 3, 2, []),  # two abnormal columns, whatever they span
        ([2, np.nan, 2, 0, 0], 2, 1, [(0, 3)]),
        ([2, np.nan, 0.9, 0, 0], 2, 1, []),  # a gap lets go: .9 does not start anew
        ([np.nan] * 5, 1, 0, []),
        ([2, 2, 2, 2, 2], 5, 0, [(0, 5)]),
    ],
)
def test_spans(row, min_length, merge_gap, expected):
    found = find_intervals(scores(row), min_length, merge_gap)
    assert [(start, end) for _, start, end in spans(found)] == expected
    assert len(found) == len(expected)


def test_rows_never_join():
    found = find_intervals(scores([0, 0, 2], [2, 0, 0]), 1, 5)
    assert spans(found) == [(0, 2, 3), (1, 0, 1)]


def test_peak_is_the_first_greatest_and_p_the_least():
    found = find_intervals(scores([0, 1, 3, 3, 1, 0]), 1, 0)
    assert found.peak.tolist() == [2]
    assert found.score.tolist() == [3.0]
    assert found.p_value[0] == pytest.approx(np.exp(-3.0))


def test_open_while_it_may_still_grow():
    row = [2, 0, 0, 0]
    assert find_intervals(scores(row), 1, 3).open.tolist() == [True]
    assert find_intervals(scores(row), 1, 2).open.tolist() == [False]
    assert find_intervals(scores([0, 2]), 1, 0).open.tolist() == [True]


def test_appended_columns_move_no_start():
    rng = np.random.default_rng(3)
    whole = rng.exponential(0.6, size=(20, 120)).astype(np.float32)
    whole[rng.uniform(size=whole.shape) < 0.1] = np.nan
    final = {(row, start): end for row, start, end in spans(find_intervals(scores(*whole), 3, 2))}
    for n_times in range(1, 120):
        found = find_intervals(scores(*whole[:, :n_times]), 3, 2)
        for (row, start, end), still_open in zip(spans(found), found.open, strict=True):
            assert (row, start) in final
            assert final[row, start] == end or (still_open and final[row, start] > end)


@pytest.mark.parametrize(
    "bad",
    [
        {"min_length": 0, "merge_gap": 0},
        {"min_length": 1, "merge_gap": -1},
        {"min_length": 1, "merge_gap": 0, "stop_score": 1.5},
    ],
)
def test_refuses(bad):
    with pytest.raises(InvalidParameterError):
        find_intervals(scores([1.0]), **bad)


def test_no_rows_and_no_columns():
    for shape in ((0, 5), (2, 0)):
        nothing = np.empty(shape, dtype=np.float32)
        assert len(find_intervals(Scores(nothing, nothing), 1, 0)) == 0
