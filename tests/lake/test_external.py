import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.errors import FileFormatError, QueryError
from lake.external import read_samples

CSV = "timestamp,value,metric\n2026-03-01T12:00:00Z,1.5,up\n2026-03-01 13:00:00,nan,up\n"


@pytest.fixture
def file(tmp_path):
    def write(text, name="x.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_csv(file, noon):
    rows = read_samples(file(CSV))
    assert rows.column_names == ["timestamp", "value", "metric"]
    assert str(rows.schema.field("timestamp").type) == "timestamp[us, tz=UTC]"
    assert rows.column("timestamp")[0].as_py() == noon
    assert rows.column("timestamp")[1].as_py().hour == 13
    assert rows.column("value").type == pa.float64()


def test_parquet_with_another_name_for_time(tmp_path, noon):
    path = tmp_path / "x.PARQUET"
    pq.write_table(pa.table({"time": pa.array([noon]), "value": [1], "pod": ["a"]}), path)
    assert read_samples(path).to_pylist() == [{"timestamp": noon, "value": 1.0, "pod": "a"}]


@pytest.mark.parametrize(
    "name", ["x[1].csv", "it's.csv", "a b.csv", "st*r.csv", "x.tsv", "c=d.csv"]
)
def test_odd_file_names(file, name):
    text = CSV.replace(",", "\t") if name.endswith("tsv") else CSV
    assert read_samples(file(text, name)).num_rows == 2


def test_odd_column_names(file):
    header = 'timestamp,value,"a""b",select'
    assert read_samples(file(f"{header}\n2026-03-01T12:00:00Z,1,x,y\n")).column_names[2:] == [
        'a"b',
        "select",
    ]


def test_a_predicate_selects(file):
    selected = read_samples(file(CSV), predicate="value > 1 AND metric = 'up'").column("selected")
    assert selected.to_pylist() == [True, True]
    nulls = read_samples(file(CSV.replace("nan", "")), predicate="value > 1").column("selected")
    assert nulls.to_pylist() == [True, False]


def test_a_wrong_predicate_is_a_query_error(file):
    with pytest.raises(QueryError, match="nowhere"):
        read_samples(file(CSV), predicate="nowhere > 1")


@pytest.mark.parametrize(
    ("text", "name", "rule"),
    [
        pytest.param(
            "value\n1\n", "x.csv", "no column 'timestamp' or 'time', only value", id="time"
        ),
        pytest.param("time\n2026-03-01\n", "x.csv", "no column 'value', only time", id="value"),
        pytest.param("garbage", "x.parquet", "cannot be read", id="no Parquet"),
        pytest.param("", "x.parquet", "cannot be read", id="empty Parquet"),
        pytest.param("", "x.csv", "no column|cannot be read", id="empty CSV"),
        pytest.param("time,value\nsoon,1\n", "x.csv", "cannot be read", id="no time"),
        pytest.param("time,value\n2026-03-01,high\n", "x.csv", "cannot be read", id="no number"),
        pytest.param("{}", "x.json", "is not one of .parquet, .csv", id="ending"),
    ],
)
def test_files_that_are_refused(file, text, name, rule):
    with pytest.raises(FileFormatError, match=rule) as refusal:
        read_samples(file(text, name))
    assert name in str(refusal.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match="does not exist"):
        read_samples(tmp_path / "x.csv")
