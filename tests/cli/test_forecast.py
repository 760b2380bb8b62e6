"""`fleetlake forecast` as people and scripts use it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

NEWEST = datetime(2026, 3, 2, 12, tzinfo=UTC)
TIMES = [NEWEST - timedelta(minutes=5 * i) for i in range(287, -1, -1)]
HOURS = np.arange(-287, 1) / 12
COLUMNS = ["device", "made_at", "value", "eta", "eta_lower", "eta_upper", "abstained", "reason"]


def rows(device, values, times=TIMES):
    return pl.DataFrame({"time": times, "value": values, "device": [device] * len(times)})


@pytest.fixture
def disks(tmp_path):
    """One that is full in 2 h, one that never is, one that is already, one that is new."""
    noise = 0.05 * np.random.default_rng(1).standard_normal(288)
    frame = pl.concat(
        [
            rows("fills", 76.0 + 2.0 * HOURS + noise),
            rows("quiet", 40.0 + noise),
            rows("full", 85.0 + noise),
            rows("new", 70.0 + noise[-6:], TIMES[-6:]),
        ]
    )
    frame.write_parquet(tmp_path / "disks.parquet")
    return frame


def run(fleetlake, tmp_path, *more, file="disks.parquet", out="out.parquet"):
    done = fleetlake("forecast", file, "--threshold", 80, "--out", out, *more)
    assert done.returncode == 0, done.stderr
    path = tmp_path / out
    return pl.read_csv(path, try_parse_dates=True) if out.endswith("csv") else pl.read_parquet(path)


def test_from_the_newest_time(fleetlake, tmp_path, disks):
    found = run(fleetlake, tmp_path)
    assert found.columns == COLUMNS
    assert found["device"].to_list() == ["fills", "quiet", "full", "new"]
    assert found["made_at"].unique().to_list() == [NEWEST]
    fills = found.row(0, named=True)
    assert abs(fills["eta"] - NEWEST - timedelta(hours=2)) < timedelta(minutes=20)
    assert fills["eta_lower"] <= fills["eta"] <= fills["eta_upper"]
    assert found["eta"].null_count() == 3
    assert found["abstained"].to_list() == [False, False, True, True]
    assert found["reason"].to_list()[2:] == [
        "threshold already passed",
        "history is shorter than the horizon",
    ]
    assert (
        found["value"].to_list()
        == disks.group_by("device", maintain_order=True).last()["value"].to_list()
    )


@pytest.mark.parametrize(("apart", "columns"), [(5, 1.0), (1, 1.5)])
def test_the_surest_interval_is_as_wide_as_a_column_can_tell(fleetlake, tmp_path, apart, columns):
    """A straight line without noise: all that may come passes in one column, of one sample (which
    is its end) or of five (whose mean it is)."""
    ago = np.arange(-1435, 1, apart)
    times = [NEWEST + timedelta(minutes=int(minutes)) for minutes in ago]
    rows("sure", 76.05 + 2.0 * ago / 60, times).write_parquet(tmp_path / "disks.parquet")
    row = run(fleetlake, tmp_path).row(0, named=True)
    column = timedelta(minutes=5)
    assert row["eta"] == row["eta_upper"]
    assert abs(row["eta"] - NEWEST - 24 * column) <= column
    assert row["eta_lower"] == row["eta"] - columns * column


def test_no_interval_begins_before_its_forecast_was_made(fleetlake, tmp_path):
    rows("sure", 79.9 + 2.0 * HOURS).write_parquet(tmp_path / "disks.parquet")
    row = run(fleetlake, tmp_path).row(0, named=True)
    assert (row["eta_lower"], row["eta"]) == (NEWEST, NEWEST + timedelta(minutes=5))


def test_csv_is_the_same(fleetlake, tmp_path, disks):
    disks.write_csv(tmp_path / "disks.csv")
    found = run(fleetlake, tmp_path, file="disks.csv", out="out.csv")
    same = run(fleetlake, tmp_path)
    assert found.columns == COLUMNS
    assert found["eta"].null_count() == same["eta"].null_count()
    assert abs(found["eta"][0] - same["eta"][0]) < timedelta(seconds=1)


def test_an_origin_knows_nothing_of_what_comes_after_it(fleetlake, tmp_path, disks):
    through = run(fleetlake, tmp_path, "--every", "30m")
    at = NEWEST - timedelta(hours=6)
    assert through["made_at"].dt.minute().is_in([0, 30]).all()
    assert through["made_at"].max() == NEWEST
    disks.filter(pl.col("time") <= at).write_parquet(tmp_path / "early.parquet")
    early = run(fleetlake, tmp_path, "--every", "30m", file="early.parquet")
    both = through.filter(pl.col("made_at") <= at)
    assert both.height > 50
    assert early.equals(both)


def test_columns_without_origins_between_have_no_rows(fleetlake, tmp_path, disks):
    through = run(fleetlake, tmp_path, "--every", "30m")
    assert through.filter(device="new")["made_at"].to_list() == [NEWEST]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--horizon", "soon"], "is no duration"),
        (["--horizon", "0h"], "is no duration"),
        (["--every", "-5m"], "is no duration"),
        (["--every", "1s"], "choose a longer one"),
        (["--ignore", "rack"], "no column 'rack'"),
        (["--out", "out.txt"], "neither .parquet nor .csv"),
        (["--out", "no/out.csv"], "does not exist"),
    ],
)
def test_what_is_wrong_is_said(fleetlake, tmp_path, disks, more, told):
    if more == ["--every", "1s"]:
        long = rows("old", [1.0], [NEWEST - timedelta(days=3)])
        pl.concat([disks, long]).write_parquet(tmp_path / "disks.parquet")
    done = fleetlake("forecast", "disks.parquet", "--threshold", 80, "--out", "o.csv", *more)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())


def test_with_a_heavier_model_each_row_says_by_which_method(fleetlake, tmp_path, disks):
    pytest.importorskip("statsforecast")
    light = run(fleetlake, tmp_path)
    done = fleetlake(
        *("forecast", "disks.parquet", "--threshold", 80, "--out", "heavy.parquet"),
        *("--heavier", "statsforecast", "--heavier-most", 5, "--heavier-seconds", 60),
    )
    assert done.returncode == 0, done.stderr
    assert "by statsforecast, which was clearly better" in " ".join(done.stderr.split())
    found = pl.read_parquet(tmp_path / "heavy.parquet")
    assert found.columns == [*COLUMNS, "method"]
    # A straight line is nothing that a heavier model tells better; what is full stays untold.
    assert found.drop("method").equals(light)
    assert found["method"].null_count() == 2


def test_a_heavier_model_that_is_not_there_is_said(fleetlake, disks):
    done = fleetlake(
        *("forecast", "disks.parquet", "--threshold", 80, "--out", "o.csv", "--heavier", "nobodys")
    )
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "forecaster 'nobodys' (forecasts.heavier, --heavier) is the name of no installed" in told
    assert "statsforecast" in told


def test_a_label_called_method_is_taken_only_beside_a_heavier_model(fleetlake, tmp_path, disks):
    disks.with_columns(method=pl.lit("GET")).write_parquet(tmp_path / "named.parquet")
    assert "method" in run(fleetlake, tmp_path, file="named.parquet").columns
    done = fleetlake(
        *("forecast", "named.parquet", "--threshold", 80, "--out", "o.csv"),
        *("--heavier", "statsforecast"),
    )
    assert done.returncode == 2
    assert "label 'method'" in " ".join(done.stderr.split())
