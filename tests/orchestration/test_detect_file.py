"""Detection on a file: order, causality, what is learned from, and what is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from detectors import DetectorsError
from lake.errors import FileFormatError, QueryError
from orchestration.errors import DetectFileError
from orchestration.steps.detect_file import detect_file
from orchestration.steps.file_columns import Job

START = datetime(2026, 11, 23, tzinfo=UTC)
ROWS = 400
SPIKE = slice(300, 310)
DATA = Path(__file__).parents[3] / "shared" / "data"
NAN = float("nan")


def series(seed=0, rows=ROWS, **labels):
    """A noisy line with a spike, one row a minute."""
    values = np.random.default_rng(seed).normal(100.0, 3.0, rows)
    values[SPIKE] = 200.0
    frame = pl.DataFrame({"value": values})
    times = pl.Series("timestamp", [START + timedelta(minutes=i) for i in range(rows)])
    return frame.select(times, *[pl.lit(v).alias(k) for k, v in labels.items()], "value")


def two():
    """Two series, row by row in turn, as scrapes come."""
    frame = pl.concat([series(1, host="a", metric="cpu"), series(2, host="b", metric="cpu")])
    return frame.sort("timestamp", maintain_order=True)


@pytest.fixture
def run(tmp_path):
    def score(frame, form="parquet", **job):
        path = tmp_path / f"in.{form}"
        if form == "csv":
            frame.write_csv(path)
        else:
            frame.write_parquet(path)
        return detect_file(Job(path, **job))

    return score


BANDS = ["expected", "lower", "upper"]


def test_columns_are_labels_time_score_and_band(run):
    out = run(two())
    assert out.columns == ["host", "metric", "timestamp", "score", *BANDS]
    assert out.height == 2 * ROWS
    assert out.schema["timestamp"] == pl.Datetime("us", "UTC")
    assert out.schema["score"] == pl.Float64
    assert out["score"].null_count() == 0
    assert out["score"].is_finite().all()
    assert (out["score"] >= 0.0).all()
    assert out.select("host", "metric", "timestamp").equals(
        two().select("host", "metric", "timestamp").cast({"timestamp": pl.Datetime("us", "UTC")})
    )


def test_a_spike_is_over_the_threshold_and_little_else_is(run):
    out = run(two())
    for host in "ab":
        score = out.filter(pl.col("host") == host)["score"].to_numpy()
        assert score[SPIKE].min() > 1.0
        before = score[: SPIKE.start]
        assert np.count_nonzero(before >= 1.0) <= 3
        assert (score[: ROWS * 15 // 100] == 0.0).all()


def test_the_band_holds_what_is_normal(run):
    out = run(series())
    known = out.drop_nulls(BANDS)
    assert known.height > ROWS / 2
    assert (known["lower"] <= known["expected"]).all()
    assert (known["expected"] <= known["upper"]).all()
    assert out["expected"][: ROWS * 15 // 100].null_count() == ROWS * 15 // 100


def test_csv_says_the_same(run):
    parquet, csv = run(two()), run(two(), "csv")
    assert csv.columns == parquet.columns
    assert np.allclose(csv["score"], parquet["score"], rtol=1e-4)


def test_rows_come_back_in_the_files_order(run):
    frame = two().with_columns(key=pl.int_range(pl.len()))
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    straight, out = run(frame.drop("key")), run(shuffled.drop("key"))
    assert out["timestamp"].to_list() == shuffled["timestamp"].to_list()
    assert out["host"].to_list() == shuffled["host"].to_list()
    order = shuffled["key"].to_numpy()
    assert out["score"].to_numpy().tolist() == straight["score"].to_numpy()[order].tolist()


@pytest.mark.parametrize("detector", [None, "pyod.ECOD"])
def test_a_score_depends_on_nothing_later(run, detector):
    cut = 250
    frame = series(5)
    wild = np.random.default_rng(9).normal(-1e4, 1e5, ROWS)
    changed = frame.with_columns(
        value=pl.when(pl.int_range(pl.len()) >= cut).then(pl.Series(wild)).otherwise("value")
    )
    one, other = run(frame, detector=detector), run(changed, detector=detector)
    assert one[:cut].equals(other[:cut])
    assert not one[cut:].equals(other[cut:])
    assert one["score"][:cut].max() > 0.0


def test_an_entitys_score_depends_on_nothing_later(run):
    frame = pl.concat([series(i, host="a", metric=f"m{i}") for i in range(4)])
    moment = START + timedelta(minutes=250)
    late = pl.col("timestamp") >= moment
    changed = frame.with_columns(value=pl.when(late).then(-5e4).otherwise("value"))
    one, other = run(frame, by="host"), run(changed, by="host")
    early = pl.col("timestamp") < moment
    assert one.filter(early).equals(other.filter(early))
    assert not one.equals(other)


def test_by_gives_one_row_an_entity_and_time(run):
    frame = pl.concat(
        [series(10 * ord(h) + i, host=h, metric=f"m{i}") for h in "ab" for i in range(3)]
    )
    out = run(frame, by="host")
    assert out.columns == ["host", "timestamp", "score"]
    assert out.height == 2 * ROWS
    assert out.select("host", "timestamp").is_unique().all()
    for host in "ab":
        score = out.filter(pl.col("host") == host)["score"].to_numpy()
        assert score[SPIKE].min() > 1.0
        assert (score[: ROWS * 15 // 100] == 0.0).all()


def test_series_of_an_entity_may_have_other_times(run):
    a, b = (
        series(1, host="a", metric="x"),
        series(2, host="a", metric="y").filter(pl.int_range(pl.len()) % 2 == 0),
    )
    out = run(pl.concat([b, a]), by="host")
    assert out.height == ROWS
    assert (
        sorted(out["timestamp"].to_list())
        == a["timestamp"].cast(pl.Datetime("us", "UTC")).to_list()
    )


def test_train_where_chooses_what_is_learned(run):
    frame = series(4).with_columns(
        part=pl.when(pl.int_range(pl.len()) < 200).then(pl.lit("train")).otherwise(pl.lit("test"))
    )
    out = run(frame, ignore=["part"], train_where="part = 'train'")
    assert "part" not in out.columns
    score = out["score"].to_numpy()
    assert (score[:200] == 0.0).all()
    assert score[SPIKE].min() > 1.0
    # A spike that is learned is normal; the next one like it then is, too.
    values = frame["value"].to_numpy().copy()
    values[100:110] = 200.0
    spiked = frame.with_columns(value=pl.Series(values))
    learned = run(spiked, ignore=["part"], train_where="part = 'train'")["score"].to_numpy()
    assert learned[SPIKE].max() < score[SPIKE].max()


@pytest.mark.parametrize("text", ["part = 'train'", "timestamp < '2026-11-23 03:00:00+00'"])
def test_train_where_is_any_predicate_and_null_is_no(run, text):
    part = pl.when(pl.int_range(pl.len()) < 180).then(pl.lit("train"))
    out = run(series(4).with_columns(part=part), ignore=["part"], train_where=text)
    assert (out["score"][:180] == 0.0).all()
    assert out["score"][SPIKE.start] > 1.0


@pytest.mark.parametrize("by", [None, "host"])
def test_a_column_that_only_tells_training_from_the_rest_is_no_label(tmp_path, by):
    part = pl.when(pl.int_range(pl.len()) < 200).then(pl.lit("train")).otherwise(pl.lit("test"))
    frame = pl.concat([series(4, host="a", metric=name).with_columns(part=part) for name in "xy"])
    path, told = tmp_path / "in.parquet", []
    frame.write_parquet(path)
    plain = Job(path, by=by, train_where="part = 'train'")
    out = detect_file(plain, warn=told.append)
    assert told == ["column 'part' parts every series into training and the rest: it is no label"]
    assert out.equals(detect_file(Job(path, by, ("part",), "part = 'train'")))
    assert out["score"].max() > 1.0


def test_what_stands_side_by_side_in_time_stays_a_label(tmp_path):
    """To learn from one host alone is odd, but no two hosts are one series for that."""
    path, told = tmp_path / "in.parquet", []
    two().write_parquet(path)
    out = detect_file(Job(path, train_where="host = 'a'"), warn=told.append)
    assert "host" in out.columns
    assert not told


def test_what_goes_on_learning_takes_750_rows_as_clean_at_most(run):
    """NAB's rule; a model that learns once takes all 15 %."""
    frame = series(5, rows=6000)
    scored = {name: run(frame, detector=name)["score"].to_numpy() for name in (None, "pyod.ECOD")}
    assert np.flatnonzero(scored[None])[0] == 750
    assert np.flatnonzero(scored["pyod.ECOD"])[0] >= 900


def test_a_text_column_that_is_ignored_is_no_label(run):
    note = pl.Series("note", [str(i) for i in range(ROWS)])
    out = run(series().with_columns(note), ignore=["note"])
    assert out.columns == ["timestamp", "score", *BANDS]
    assert out["score"][SPIKE.start] > 1.0


def test_numbers_and_truths_are_no_labels(run):
    marked = series(host="a").with_columns(
        label=pl.int_range(pl.len()), shard=pl.lit(1.5), odd=pl.int_range(pl.len()) % 2 == 0
    )
    out = run(marked)
    assert out.columns == ["host", "timestamp", "score", *BANDS]
    assert out["score"][SPIKE.start] > 1.0


def test_the_column_of_time_may_be_called_time(run):
    assert run(series().rename({"timestamp": "time"})).equals(run(series()))


def test_times_without_a_zone_are_utc_and_other_zones_are_kept_apart(run):
    plain = run(series())
    naive = series().with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    assert run(naive).equals(plain)
    paris = series().with_columns(pl.col("timestamp").dt.convert_time_zone("Europe/Paris"))
    assert run(paris).equals(plain)


HOLES = {"NaN": NAN, "null": None, "infinity": float("inf"), "too large": 1e300}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("by", [None, "host"])
def test_no_data_has_no_score_and_hides_nothing(run, hole, by):
    values = series()["value"].to_list()
    for i in (10, 150, 151, 320):
        values[i] = hole
    out = run(series(host="a").with_columns(value=pl.Series(values, dtype=pl.Float64)), by=by)
    assert out.height == ROWS
    score = out["score"].to_numpy()
    assert np.isfinite(score).all()
    assert score[[150, 151]].tolist() == [0.0, 0.0]
    assert score[SPIKE].min() > 1.0


def test_times_that_stand_twice_are_two_rows(run):
    frame = series(host="a")
    doubled = pl.concat([frame, frame[200:210]])
    out = run(doubled)
    assert out.height == ROWS + 10
    assert (
        out["timestamp"].to_list() == doubled["timestamp"].cast(pl.Datetime("us", "UTC")).to_list()
    )
    by = run(doubled, by="host")
    assert by.height == ROWS


def test_a_constant_series_is_quiet_until_it_moves(run):
    flat = series().with_columns(value=pl.lit(7.0))
    assert run(flat)["score"].max() < 1.0
    moved = flat.with_columns(
        value=pl.when(pl.int_range(pl.len()) >= 300).then(9.0).otherwise("value")
    )
    score = run(moved)["score"].to_numpy()
    assert score[:300].max() < 1.0
    assert score[305] > 1.0


@pytest.mark.parametrize("rows", [1, 2, 10])
def test_a_short_series_scores_nothing_and_spoils_nothing(run, rows):
    short = series(9, host="short")[:rows]
    assert run(short)["score"].to_list() == [0.0] * rows
    frame = pl.concat([short, series(1, host="long")])
    out = run(frame)
    assert out["score"][:rows].to_list() == [0.0] * rows
    assert out["score"][rows:].to_list() == run(series(1, host="long"))["score"].to_list()


def test_a_null_label_is_a_value_of_its_own(run):
    frame = pl.concat(
        [series(1, host="a"), series(2, host="a").with_columns(host=pl.lit(None, pl.String))]
    )
    out = run(frame)
    assert out["host"].null_count() == ROWS
    assert out["score"][:ROWS].to_list() == run(series(1, host="a"))["score"].to_list()


@pytest.mark.parametrize("name", ["score", "expected", "lower", "upper"])
def test_a_label_called_like_an_outcome_is_refused(run, name):
    with pytest.raises(DetectFileError, match=name):
        run(series(**{name: "x"}))
    assert run(series(**{name: "x"}), ignore=[name]).height == ROWS


def test_an_entity_called_like_its_score_is_refused(run):
    with pytest.raises(DetectFileError, match="score"):
        run(series(score="x"), by="score")
    assert run(series(lower="x"), by="lower").columns == ["lower", "timestamp", "score"]


@pytest.mark.parametrize("name", ["row", "series", "entity", "index"])
def test_labels_may_be_called_as_they_like(run, name):
    out = run(series(**{name: "x"}))
    assert out.columns == [name, "timestamp", "score", *BANDS]
    assert run(series(**{name: "x"}), by=name).columns == [name, "timestamp", "score"]


def test_a_column_called_selected_is_a_label_unless_rows_are_selected(run):
    frame = series(selected="x")
    assert run(frame).columns == ["selected", "timestamp", "score", *BANDS]
    assert run(frame)["score"].to_list() == run(series())["score"].to_list()
    with pytest.raises(DetectFileError, match="selected"):
        run(frame, train_where="value < 110")


def test_an_empty_file_gives_no_rows(run):
    assert run(two()[:0]).columns == ["host", "metric", "timestamp", "score", *BANDS]
    assert run(two()[:0]).height == 0
    assert run(two()[:0], by="host").columns == ["host", "timestamp", "score"]


REFUSED = {
    "no time": (series().drop("timestamp"), {}, FileFormatError, "timestamp"),
    "no value": (series().drop("value"), {}, FileFormatError, "value"),
    "value is text": (
        series().with_columns(value=pl.lit("much")),
        {},
        FileFormatError,
        "cannot be read",
    ),
    "a time is missing": (
        series().with_columns(timestamp=pl.when(pl.int_range(pl.len()) > 5).then("timestamp")),
        {},
        (DetectFileError, FileFormatError),
        "time",
    ),
    "by is not there": (series(), {"by": "host"}, DetectFileError, "'host'"),
    "ignored is not there": (series(), {"ignore": ["hots"]}, DetectFileError, "'hots'"),
    "by and ignored": (
        series(host="a"),
        {"by": "host", "ignore": ["host"]},
        DetectFileError,
        "both",
    ),
    "by the value": (series(), {"by": "value"}, DetectFileError, "'value'"),
    "by the time": (series(), {"by": "timestamp"}, DetectFileError, "'timestamp'"),
    "predicate is no SQL": (series(), {"train_where": "part ="}, QueryError, "part ="),
    "predicate on nothing": (series(), {"train_where": "part = 1"}, QueryError, "part"),
    "predicate is no truth": (series(), {"train_where": "'abc'"}, QueryError, "abc"),
    "nothing to learn from": (
        series(host="a"),
        {"by": "host", "train_where": "false"},
        DetectFileError,
        "cannot learn",
    ),
    "detector is unknown": (series(), {"detector": "magic"}, DetectorsError, "magic"),
    "detector of entities": (series(), {"detector": "entity_memory"}, DetectFileError, "--by"),
    "detector of series": (
        series(host="a"),
        {"detector": "window_memory", "by": "host"},
        DetectFileError,
        "without --by",
    ),
}


@pytest.mark.parametrize(("frame", "job", "error", "fragment"), REFUSED.values(), ids=REFUSED)
def test_refused(run, frame, job, error, fragment):
    with pytest.raises(error, match=fragment):
        run(frame, **job)


def test_files_that_are_none(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a.parquet").write_text("x")
    for name, fragment in (("a.txt", "is not one of"), ("no.csv", "exist"), ("a.parquet", "read")):
        with pytest.raises(FileFormatError, match=fragment):
            detect_file(Job(tmp_path / name))


def test_progress_ends_at_one(tmp_path):
    two().write_parquet(tmp_path / "in.parquet")
    for by in (None, "host"):
        told = []
        detect_file(Job(tmp_path / "in.parquet", by=by), told.append)
        assert told
        assert told == sorted(told)
        assert told[-1] == pytest.approx(1.0)


needs_data = pytest.mark.skipif(not DATA.exists(), reason="no shared data here")


@needs_data
def test_a_slice_of_the_server_machine_dataset(tmp_path):
    path = tmp_path / "smd.parquet"
    frame = pl.scan_parquet(DATA / "smd" / "metrics.parquet")
    first = frame.select(pl.col("entity").first()).collect().item()
    one = frame.filter(pl.col("entity") == first).collect()
    times = one["timestamp" if "timestamp" in one.columns else "time"].unique().sort()
    moment = times[:: len(times) // 40]
    one = one.filter(pl.col(times.name).is_between(moment[16], moment[24]))
    one.write_parquet(path)
    out = detect_file(Job(path, by="entity", ignore=["part"], train_where="part='train'"))
    assert out.columns == ["entity", "timestamp", "score"]
    assert out.height == one.select("entity", times.name).n_unique()
    train = one.filter(pl.col("part") == "train").height
    assert 0 < train < one.height
    assert out["score"].is_finite().all()
    assert (out["score"] > 0).any()


@needs_data
def test_a_slice_of_the_numenta_benchmark(tmp_path):
    path = tmp_path / "nab.parquet"
    frame = pl.read_parquet(DATA / "nab" / "metrics.parquet")
    labels = [n for n, kind in frame.schema.items() if kind == pl.String]
    some = frame.select(labels).unique(maintain_order=True)[:4]
    frame = frame.join(some, on=labels, how="semi", nulls_equal=True, maintain_order="left")
    frame.write_parquet(path)
    out = detect_file(Job(path))
    assert out.height == frame.height
    assert out.columns == [*labels, "timestamp", "score", *BANDS]
    assert (out["score"] > 0.0).any()
    assert (out["score"] >= 1.0).mean() < 0.2


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (f"timestamp < TIMESTAMPTZ '{START + timedelta(minutes=100)}'", 0),
        (f"timestamp >= TIMESTAMPTZ '{START + timedelta(minutes=300)}'", 1),
        (None, 0),
    ],
    ids=["earlier", "later", "default"],
)
@pytest.mark.parametrize("by", [None, "host"])
def test_learning_from_later_rows_is_told(tmp_path, where, told, by):
    path = tmp_path / "in.parquet"
    two().write_parquet(path)
    heard = []
    detect_file(Job(path, by=by, train_where=where), warn=heard.append)
    assert len(heard) == told
    assert all("2 " in text and "not causal" in text for text in heard)
