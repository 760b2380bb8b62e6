import gzip
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ClusterMissingError, IngestError, InvalidLabelsError
from ingest.files import import_file
from lake import Lake
from lake.errors import FileFormatError

LATEST = datetime(2026, 3, 2, tzinfo=UTC)
CSV = """\
timestamp,value,metric,cluster,pod
2026-03-01T12:00:00Z,1.5,up,eu,cart-0
2026-03-01T12:00:30Z,2.5,up,eu,cart-0
2026-03-01T12:00:00Z,3.5,up,us,
2026-03-01T12:00:00Z,,up,us,
"""


@pytest.fixture
def bring(lake, tmp_path):
    def import_text(text=CSV, name="x.csv", to=None, **options):
        path = tmp_path / name
        path.write_text(text)
        return import_file(to or lake, path, latest=LATEST, **options)

    return import_text


def test_a_file_becomes_samples_and_series(bring, lake):
    done = bring()
    assert (done.samples, done.series) == (3, 2)
    found = lake.sql("SELECT cluster, pod, workload, value FROM metrics ORDER BY value").to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("eu", "cart-0", "cart", 1.5),
        ("eu", "cart-0", "cart", 2.5),
        ("us", None, None, 3.5),
    ]


def test_a_file_is_imported_once(bring, lake):
    bring()
    assert bring(name="renamed.csv").samples == 0
    assert bring(to=Lake.open(lake.root)).samples == 0
    assert bring(CSV + "2026-03-01T13:00:00Z,9,up,us,\n").samples == 4
    assert lake.sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": 7}]


def test_the_same_file_for_another_cluster_is_another_import(bring, lake):
    text = "time,value\n2026-03-01T12:00:00Z,1\n"
    assert bring(text, cluster="a", metric="up").samples == 1
    assert bring(text, cluster="b", metric="up").samples == 1
    assert bring(text, cluster="b", metric="down").samples == 1
    assert bring(text, cluster="b", metric="down").samples == 0
    assert lake.sql("SELECT count(*) AS n FROM series").to_pylist() == [{"n": 3}]


def test_parquet(lake, tmp_path):
    path = tmp_path / "x.parquet"
    times = pa.array([LATEST - timedelta(days=n) for n in range(3)], pa.timestamp("ns", "UTC"))
    columns = {"time": times, "value": [1, 2, 3], "__name__": ["up"] * 3}
    pq.write_table(pa.table(columns), path)
    assert import_file(lake, path, latest=LATEST, cluster="eu").samples == 3
    assert len(lake.samples.files()[1]) == 3


def test_an_empty_file_brings_nothing(bring, lake):
    assert bring("timestamp,value,metric,cluster\n").samples == 0
    assert lake.sql("SELECT * FROM samples").num_rows == 0


@pytest.mark.parametrize(
    ("text", "error", "rule"),
    [
        pytest.param("value,metric\n1,up\n", FileFormatError, "no column 'timestamp'", id="time"),
        pytest.param(
            "time,metric\n2026-03-01,up\n", FileFormatError, "no column 'value'", id="value"
        ),
        pytest.param(
            "time,value\n2026-03-01,1\n", FileFormatError, "no column 'metric'", id="metric"
        ),
        pytest.param(
            "time,value,metric\n2026-03-02T00:00:01Z,1,up\n",
            FileFormatError,
            r"row 1 \(1.0\) is of 2026-03-02T00:00:01",
            id="future",
        ),
        pytest.param(
            "time,value,metric\n,1,up\n2026-03-01,1,up\n",
            FileFormatError,
            "row 1 has no time",
            id="gap",
        ),
        pytest.param(
            "time,value,metric\n2026-03-01,1,up\n", ClusterMissingError, "no cluster", id="cluster"
        ),
        pytest.param(
            "time,value,metric,cluster\n2026-03-01,1,up,eu\n2026-03-01,1,,eu\n",
            InvalidLabelsError,
            "no metric name",
            id="empty metric",
        ),
        pytest.param(
            "time,value,metric,cluster,a b\n2026-03-01,1,up,eu,x\n",
            InvalidLabelsError,
            "'a b' is not",
            id="label name",
        ),
    ],
)
def test_a_wrong_file_is_refused_whole(bring, lake, text, error, rule):
    versions = lake.snapshot().versions
    with pytest.raises(error, match=rule):
        bring(text)
    assert lake.snapshot().versions == versions


def rows_of(lake):
    found = lake.sql("SELECT series_id, time, value FROM samples").to_pylist()
    return sorted((row["series_id"], row["time"], row["value"]) for row in found)


def many(n=100):
    lines = [
        f"{(LATEST - timedelta(minutes=n - i)).isoformat()},{i},up,eu,cart-{i % 3}\n"
        for i in range(n)
    ]
    return "timestamp,value,metric,cluster,pod\n" + "".join(lines)


def om(n=100):
    return (
        "# TYPE hits counter\n# HELP hits All hits.\n"
        + "".join(
            f'hits_total{{pod="cart-{i % 3}"}} {i} {LATEST.timestamp() - 60 * (n - i)}\n'
            for i in range(n)
        )
        + "# EOF\n"
    )


FILES = pytest.mark.parametrize(("name", "text"), [("x.csv", many()), ("x.om", om())])


@FILES
def test_a_large_file_makes_several_commits(bring, lake, name, text, monkeypatch):
    monkeypatch.setattr("ingest.files.expositions.BLOCK_BYTES", 200)
    told = []
    done = bring(text, name, cluster="eu", rows=30, told=told.append)
    assert (done.samples, done.series) == (100, 3)
    assert lake.samples.version() >= 3
    assert [value for *_, value in sorted(rows_of(lake), key=lambda row: row[1])] == list(
        range(100)
    )
    assert told == sorted(told)
    assert told[-1] == 1
    assert bring(text, name, cluster="eu", rows=30).samples == 0


@FILES
@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_an_interrupted_import_goes_on_where_it_stopped(
    bring, lake, monkeypatch, name, text, fails_at
):
    monkeypatch.setattr("ingest.files.expositions.BLOCK_BYTES", 200)
    append, calls = lake.samples.append, []

    def fail(*args, **kwargs):
        calls.append(args)
        if len(calls) == fails_at:
            raise OSError(28, "No space left on device")
        return append(*args, **kwargs)

    monkeypatch.setattr(lake.samples, "append", fail)
    with pytest.raises(OSError, match="No space"):
        bring(text, name, cluster="eu", rows=30)
    before = len(rows_of(lake))
    # Chunks may be of another size by then.
    done = bring(text, name, to=Lake.open(lake.root), cluster="eu", rows=17)
    assert before + done.samples == 100
    assert (done.resumed > 0) == (fails_at > 1)
    found = rows_of(lake)
    assert len(found) == len(set(found)) == 100
    assert bring(text, name, cluster="eu").samples == 0


@FILES
def test_a_mistake_at_the_end_of_a_large_file_refuses_it_whole(
    bring, lake, monkeypatch, name, text
):
    monkeypatch.setattr("ingest.files.expositions.BLOCK_BYTES", 200)
    versions = lake.snapshot().versions
    late = LATEST + timedelta(days=2400)
    if name == "x.csv":
        text += f"{late.isoformat()},7,up,eu,cart-0\n"
    else:
        text = text.replace("# EOF", f"hits_total 7 {late.timestamp()}\n# EOF")
    where = r"x.csv': row 101 \(7.0\)" if name == "x.csv" else r"x.om': line 103 'hits_total 7 "
    with pytest.raises(FileFormatError, match=where) as refusal:
        bring(text, name, cluster="eu", rows=30)
    assert "is of 2032-09-26T00:00:00+00:00" in str(refusal.value)
    assert lake.snapshot().versions == versions


DUMP = """\
{__name__="up", instance="a:1", job="node"} 1 1772323200000
{__name__="up", instance="a:1", job="node"} NaN 1772323230000
{__name__="load", instance="a:1", job="node"} 0.5 1772323200000
"""


def test_what_promtool_dumps(bring, lake):
    done = bring(DUMP, "x.dump", cluster="eu")
    assert (done.samples, done.series) == (3, 2)
    found = lake.sql("SELECT metric, job, time FROM metrics WHERE metric = 'load'").to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("load", "node", datetime(2026, 3, 1, tzinfo=UTC))
    ]


def test_openmetrics_with_its_descriptions_and_packed(lake, tmp_path):
    text = om(3).replace(
        "hits_total{", 'lat_bucket{le="1"} 3 1772323200 # {id="x"} 1\nhits_total{', 1
    )
    path = tmp_path / "x.om.gz"
    path.write_bytes(gzip.compress(text.encode()))
    done = import_file(lake, path, latest=LATEST, cluster="eu")
    assert (done.samples, done.series, done.exemplars) == (4, 4, 1)
    found = lake.sql("SELECT kind, help FROM series WHERE metric = 'hits_total'").to_pylist()
    assert [tuple(row.values()) for row in found] == [("counter", "All hits.")] * 3
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match="cannot be read"):
        import_file(lake, path, latest=LATEST, cluster="eu")


@pytest.mark.parametrize(
    ("name", "text", "error", "rule"),
    [
        ("x.om", "up 1 1772323200\n", FileFormatError, "ends without # EOF"),
        ("x.txt", "up 1\n", FileFormatError, "line 1 'up 1' has no time"),
        ("x.txt", "up 1 1\nup 1 -5\n", FileFormatError, "line 2 'up 1 -5' is of .* before 1970"),
        ("x.txt", "up 1 1\n\nup\n", FileFormatError, "line 3 'up': is no sample"),
        ("x.txt", "up 1 9007199254740992\n", FileFormatError, "ms after 1970, the latest"),
        ("x.prom.gz", "up 1 1\n", FileFormatError, "cannot be read"),
        ("x.json", "[]", FileFormatError, "is not one of .parquet, .*csv, .*om"),
        (
            "x.csv",
            "time,value,metric\n2026-03-01,1,up\n1,2,up\n",
            FileFormatError,
            "cannot be read",
        ),
        ("x.csv", "time,value,metric\n1969-12-31,1,up\n", FileFormatError, "row 1 .* before 1970"),
    ],
)
def test_wrong_files_of_every_kind(bring, lake, name, text, error, rule):
    versions = lake.snapshot().versions
    with pytest.raises(error, match=rule):
        bring(text, name, cluster="eu")
    assert lake.snapshot().versions == versions


def test_an_exposition_names_its_metrics_and_needs_a_cluster(bring):
    with pytest.raises(FileFormatError, match="no metric name"):
        bring(DUMP, "x.dump", cluster="eu", metric="up")
    with pytest.raises(ClusterMissingError):
        bring(DUMP, "x.dump")
    with pytest.raises(FileFormatError, match=r"cannot be read: .*No such file"):
        import_file(None, Path("/nowhere/x.om"), latest=LATEST)


@given(st.binary(max_size=200), st.sampled_from(["x.csv", "x.om", "x.txt", "x.parquet", "x.om.gz"]))
@settings(max_examples=60, deadline=None)
def test_garbage_is_refused_or_empty(tmp_path_factory, data, name):
    folder = tmp_path_factory.mktemp("garbage")
    path = folder / name
    path.write_bytes(data)
    with suppress(FileFormatError, IngestError):
        import_file(Lake.open(folder / "lake"), path, latest=LATEST, cluster="eu", metric=None)


NUMBERED = """\
timestamp,value,metric,cluster,code,le,cpu,shard,up
2026-03-01T12:00:00Z,1,http_bucket,eu,200,0.50,0,007,true
2026-03-01T12:00:00Z,2,http_bucket,eu,404,0.50,0,007,true
2026-03-01T12:00:00Z,3,http_bucket,eu,200,+Inf,0,007,true
2026-03-01T12:00:00Z,4,http_bucket,eu,200,1e3,1,,false
"""


def labels_by_value(lake):
    found = lake.sql("SELECT value, labels FROM metrics ORDER BY value").to_pylist()
    own = {"__name__", "cluster"}
    return [{k: v for k, v in dict(row["labels"]).items() if k not in own} for row in found]


def test_every_other_column_is_a_label_in_its_own_text(bring, lake):
    assert bring(NUMBERED).series == 4
    first = {"code": "200", "le": "0.50", "cpu": "0", "shard": "007", "up": "true"}
    assert labels_by_value(lake) == [
        first,
        first | {"code": "404"},
        first | {"le": "+Inf"},
        {"code": "200", "le": "1e3", "cpu": "1", "up": "false"},
    ]


@pytest.mark.parametrize("n", [1, 30_000])
def test_columns_of_numbers_alone_are_labels(bring, lake, n):
    rows = "value,time,shard\n" + "".join(
        f"{i},{(LATEST - timedelta(minutes=1 + i % 1000)).isoformat()},{i // 1000:04}\n"
        for i in range(n)
    )
    done = bring(rows, cluster="eu", metric="up")
    assert (done.samples, done.series) == (n, (n + 999) // 1000)
    assert labels_by_value(lake)[0] == {"shard": "0000"}
    points = lake.sql("SELECT count(DISTINCT (series_id, time)) AS n FROM samples").to_pylist()
    assert points == [{"n": n}]


def test_columns_of_parquet_of_every_kind_are_labels(lake, tmp_path):
    path = tmp_path / "x.parquet"
    columns = {
        "time": pa.array([LATEST] * 3, pa.timestamp("us", "UTC")),
        "value": [1.0, 2.0, 3.0],
        "code": pa.array([200, 404, None], pa.int32()),
        "le": [0.5, 0.5, float("inf")],
        "pod": pa.array(["a", "b", "a"]).dictionary_encode(),
        "__index_level_0__": [7, 8, 9],
    }
    pq.write_table(pa.table(columns), path)
    done = import_file(lake, path, latest=LATEST, cluster="eu", metric="up")
    assert done.series == 3
    assert labels_by_value(lake) == [
        {"code": "200", "le": "0.5", "pod": "a"},
        {"code": "404", "le": "0.5", "pod": "b"},
        {"le": "+Inf", "pod": "a"},
    ]


@pytest.mark.parametrize("rows", [2, 1_000_000], ids=["in parts", "at once"])
@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("x.csv", CSV, {"metric": "down"}),
        ("x.dump", DUMP.replace("{", '{cluster="eu", '), {}),
    ],
)
def test_what_a_file_names_itself_is_imported_once_whatever_is_given(
    bring, lake, monkeypatch, name, text, options, rows
):
    monkeypatch.setattr("ingest.files.expositions.BLOCK_BYTES", 100)
    assert bring(text, name, rows=rows).samples == 3
    assert bring(text, name, rows=rows, cluster="asia", **options).samples == 0
    assert bring(text, name, cluster="us").samples == 0
    assert len(rows_of(lake)) == 3


def test_the_other_way_round_too(bring, lake):
    assert bring(cluster="asia", metric="down").samples == 3
    assert bring().samples == 0
    assert lake.sql("SELECT DISTINCT metric FROM samples").to_pylist() == [{"metric": "up"}]


def test_one_row_that_needs_the_cluster_makes_it_another_import(bring, lake):
    text = CSV + "2026-03-01T12:00:00Z,9,up,,\n"
    assert bring(text, cluster="a").samples == 4
    assert bring(text, cluster="a", metric="down").samples == 0


def test_an_import_that_broke_off_goes_on_whatever_is_given(bring, lake, monkeypatch):
    append, calls = lake.samples.append, []

    def fail(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return append(*args, **kwargs)

    monkeypatch.setattr(lake.samples, "append", fail)
    with pytest.raises(OSError, match="No space"):
        bring(many(), cluster="asia", rows=30)
    monkeypatch.undo()
    assert bring(many(), metric="down", rows=30).resumed > 0
    assert len(rows_of(lake)) == 100
