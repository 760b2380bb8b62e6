"""Samples of files on a regular step, however the file is ordered."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from orchestration.steps.forecast.grid import HOUR, grid_of

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def frame():
    """Three series at five minutes: one without a pod, one with two values in a column."""
    rows = [
        {"pod": pod, "node": "n-1", "timestamp": START + timedelta(minutes=5 * k), "value": v + k}
        for pod, v in (("a", 0.0), (None, 100.0), ("b", 200.0))
        for k in range(40)
    ]
    rows.append(rows[-1] | {"timestamp": rows[-1]["timestamp"] - timedelta(minutes=2)})
    rows[5]["value"] = None
    return pl.DataFrame(rows)


def laid_out(frame, labels=("pod", "node")):
    grid = grid_of(frame, list(labels), 4 * HOUR, None, None)
    return grid, {row[0]: grid.values[i] for i, row in enumerate(grid.keys.iter_rows())}


def test_the_order_of_rows_does_not_matter(frame):
    grid, values = laid_out(frame)
    assert grid.step == 5 * 60 * 1_000_000
    assert grid.keys["pod"].to_list() == ["a", None, "b"]
    assert np.isnan(values["a"]).nonzero()[0].tolist() == [5]
    np.testing.assert_array_equal(values[None], 100.0 + np.arange(40))
    assert values["b"][-1] == 239.0
    for seed in range(3):
        _, others = laid_out(frame.sample(fraction=1.0, shuffle=True, seed=seed))
        for pod, own in values.items():
            np.testing.assert_array_equal(own, others[pod])


def test_a_column_is_the_mean_of_its_values_and_its_newest(frame):
    """`b` has a value two minutes before its last one."""
    at = pl.col("timestamp") == START + timedelta(minutes=195)
    early = pl.col("timestamp") == START + timedelta(minutes=193)
    seen = frame.with_columns(pl.when(early).then(0.0).otherwise("value").alias("value"))
    grid, values = laid_out(seen)
    assert seen.filter(at & (pl.col("pod") == "b"))["value"].to_list() == [239.0]
    assert values["b"][-1] == 239.0 / 2
    assert grid.newest[2, -1] == 239.0


def test_texts_as_dictionaries_and_no_label_at_all(frame):
    coded = frame.with_columns(pl.col("pod", "node").cast(pl.Categorical))
    grid, values = laid_out(coded)
    assert grid.keys.schema == {"pod": pl.String, "node": pl.String}
    np.testing.assert_array_equal(values["a"], laid_out(frame)[1]["a"])
    alone = frame.filter(pl.col("pod") == "b")
    grid = grid_of(alone, [], 4 * HOUR, None, None)
    assert (grid.values.shape, grid.keys.width) == ((1, 40), 0)


def test_the_newest_column_is_the_anchors_though_nothing_is_known_of_it(frame):
    late = frame[-1].with_columns(
        timestamp=pl.lit(START + timedelta(minutes=215)), value=pl.lit(None, pl.Float64)
    )
    anchor = int((START + timedelta(minutes=215)).timestamp() * 1e6)
    labels = ["pod", "node"]
    grid = grid_of(pl.concat([frame, late]), labels, 4 * HOUR, None, anchor)
    assert grid.values.shape == (3, 44)
    assert grid.column(anchor) == 43
    assert np.isnan(grid.values[:, 40:]).all()
