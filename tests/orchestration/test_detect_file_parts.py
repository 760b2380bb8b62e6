"""A file larger than memory: read in parts, scored the same, written in the file's order."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from orchestration.errors import DetectFileError
from orchestration.steps import detect_file as module
from orchestration.steps.detect_file import detect_file, detect_file_to
from orchestration.steps.file_columns import Job

START = datetime(2026, 11, 23, tzinfo=UTC)


def frame(series=12, rows=200):
    """Series row by row in turn, as scrapes come; one without a label, one with a fault."""
    rng = np.random.default_rng(0)
    values = rng.normal(100.0, 5.0, (rows, series))
    values[150:160, 3] = 300.0
    hosts = [None if one == 5 else f"h{one // 2}" for one in range(series)]
    return pl.DataFrame(
        {
            "timestamp": [START + timedelta(minutes=i // series) for i in range(rows * series)],
            "host": hosts * rows,
            "metric": [f"m{one % 2}" for one in range(series)] * rows,
            "value": values.ravel(),
        }
    )


@pytest.fixture
def read(monkeypatch):
    """Heights of what was read at once."""
    heights = []
    real = module.read_samples

    def spy(path, **given):
        rows = real(path, **given)
        heights.append(rows.num_rows)
        return rows

    monkeypatch.setattr(module, "read_samples", spy)
    return heights


def put(tmp_path, rows, ending="parquet"):
    path = tmp_path / f"in.{ending}"
    rows.write_csv(path) if ending == "csv" else rows.write_parquet(path)
    return path


JOBS = {
    "novelty": {},
    "a model each": {"detector": "window_memory"},
    "entities": {"by": "host"},
    "by a predicate": {"train_where": "timestamp < '2026-11-23 01:00:00'"},
    "a predicate with a label": {"train_where": "metric IN ('m0', 'm1') AND value < 290"},
}


@pytest.mark.parametrize("given", JOBS.values(), ids=JOBS)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_parts_are_scored_as_the_whole(tmp_path, read, given, ending):
    job = Job(put(tmp_path, frame(), ending), **given)
    whole = detect_file(job)
    read.clear()
    told = []
    done = detect_file_to(job, tmp_path / "out.parquet", told.append, part_rows=500)
    assert pl.read_parquet(tmp_path / "out.parquet").equals(whole)
    assert done.rows == whole.height
    assert done.flagged == (whole["score"] >= 1.0).sum() > 0
    assert not done.silent
    assert told == sorted(told)
    assert told[-1] == 1.0
    # No part holds more than a few series, and every row is in one of them.
    assert max(read) < 1600
    assert sum(read) == 2400
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"in.{ending}", "out.parquet"]


def test_csv_comes_out_as_the_whole_does(tmp_path):
    job = Job(put(tmp_path, frame()))
    detect_file_to(job, tmp_path / "whole.csv")
    detect_file_to(job, tmp_path / "parts.csv", part_rows=300)
    assert (tmp_path / "whole.csv").read_text() == (tmp_path / "parts.csv").read_text()


def test_a_column_that_only_tells_clean_rows_is_none_of_a_series_in_parts_either(tmp_path):
    rows = frame().with_columns(
        part=pl.when(pl.col("timestamp") < START + timedelta(hours=1))
        .then(pl.lit("train"))
        .otherwise(pl.lit("test"))
    )
    job = Job(put(tmp_path, rows), train_where="part = 'train'")
    warned = []
    detect_file_to(job, tmp_path / "out.parquet", warn=warned.append, part_rows=500)
    assert pl.read_parquet(tmp_path / "out.parquet").equals(detect_file(job))
    assert len(warned) == 1


def test_a_single_series_is_not_divided(tmp_path, read):
    rows = frame().filter(pl.col("host") == "h1", pl.col("metric") == "m1").drop("host", "metric")
    detect_file_to(Job(put(tmp_path, rows)), tmp_path / "out.parquet", part_rows=50)
    assert read == [0, 200]


def test_what_fails_leaves_nothing_behind(tmp_path):
    rows = frame().with_columns(timestamp=pl.when(pl.int_range(pl.len()) > 5).then("timestamp"))
    path = put(tmp_path, rows)
    (tmp_path / "out.parquet").write_text("as before")
    with pytest.raises(DetectFileError, match="have no time"):
        detect_file_to(Job(path), tmp_path / "out.parquet", part_rows=500)
    assert (tmp_path / "out.parquet").read_text() == "as before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_a_pooled_detector_has_a_model_a_metric(tmp_path):
    """The families differ: what is usual for one would be far out for the other."""
    rows = frame(series=20, rows=900)
    loud = pl.col("metric") == "m1"
    rng = np.random.default_rng(3)
    rows = rows.with_columns(
        value=pl.when(loud)
        .then(pl.Series(np.exp(rng.normal(0.0, 2.0, rows.height))))
        .otherwise("value")
    )
    clean = "timestamp < '2026-11-23 10:00:00'"
    path = put(tmp_path, rows)
    both = detect_file(Job(path, detector="pooled.ECOD", train_where=clean))
    alone = put(tmp_path, rows.filter(~loud), "csv")
    single = detect_file(Job(alone, detector="pooled.ECOD", train_where=clean))
    here = both.filter(pl.col("metric") == "m0")["score"].to_numpy()
    np.testing.assert_allclose(here, single["score"].to_numpy(), rtol=1e-3)
    assert here.max() > 0.0


@pytest.mark.parametrize("detector", ["pyod.HBOS", "pooled.HBOS", "window_memory", "online_level"])
def test_irregular_and_doubled_times_are_rows_in_order(tmp_path, detector):
    """The axis is the order of rows: steps of any length, times that stand twice."""
    rng = np.random.default_rng(0)
    minutes = np.sort(np.cumsum(rng.exponential(3.0, 500)))
    minutes[200:203] = minutes[200]
    values = rng.normal(100.0, 5.0, 500)
    values[440:460] = 300.0
    times = [START + timedelta(minutes=float(one)) for one in minutes]
    rows = pl.DataFrame({"timestamp": times, "value": values})
    clean = f"timestamp < '{times[350].isoformat()}'"
    out = detect_file(Job(put(tmp_path, rows), detector=detector, train_where=clean))
    assert out.height == 500
    assert out["score"][445:460].max() >= 1.0
    assert out["score"].is_finite().all()
