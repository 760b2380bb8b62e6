from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.errors import ClusterMissingError, InvalidLabelsError
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
            "a row is of 2026-03-02T00:00:01",
            id="future",
        ),
        pytest.param(
            "time,value,metric\n,1,up\n2026-03-01,1,up\n",
            FileFormatError,
            "1 rows have no",
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
