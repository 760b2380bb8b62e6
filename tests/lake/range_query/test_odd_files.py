"""Files of other writers, and what is odd about them: an engine's answer, or none from here."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import TimeRange
from lake.errors import LakeError
from lake.range_query import Pool, answered
from lake.range_query.footers import Footer
from lake.schema import SAMPLES, SERIES
from tests.lake.range_query.conftest import of_series

EVER = TimeRange(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

OF_SAMPLES = "SELECT time, value FROM samples WHERE metric = 'up'"
OF_METRICS = "SELECT pod, value FROM metrics WHERE metric = 'up'"


def told(rows):
    return str(rows.schema.remove_metadata()), sorted(map(repr, rows.to_pylist()))


def check(lake, *queries):
    """Each is answered as by an engine, or left to it. Gives how many were answered."""
    answers = 0
    for sql in queries:
        rows = answered(lake.snapshot(), sql, pool=Pool(1 << 26))
        if rows is None:
            continue
        answers += 1
        try:
            theirs = told(lake.query(sql, between=EVER).rows)
        except LakeError as error:
            theirs = error
        assert told(rows) == theirs
    return answers


def rewritten(lake, table, change, **options):
    """Files of the same name with other content, as if others had written them."""
    for file in lake.snapshot().tables[table].files:
        rows = change(pq.ParquetFile(file.path).read())
        pq.write_table(rows, file.path, **options)


def with_column(name, change):
    return lambda rows: rows.set_column(rows.column_names.index(name), name, change(rows[name]))


@pytest.fixture
def one(lake, make_samples):
    series = of_series([("eu", "up", 7, "host", "1")])
    lake.series.append(pa.Table.from_pylist(series, SERIES.schema))
    lake.samples.append(make_samples([1.0, 2.0], series_id=7))
    return lake


def test_as_we_write_them(one):
    assert check(one, OF_SAMPLES, OF_METRICS) == 2


@pytest.mark.parametrize(
    ("table", "column"), [("series", "pod"), ("samples", "value"), ("samples", "time")]
)
def test_a_column_is_missing(one, table, column):
    rewritten(one, table, lambda rows: rows.drop_columns([column]))
    assert check(one, OF_METRICS) == 0


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("samples", "value", pa.float32()),
        ("samples", "value", pa.int64()),
        ("samples", "value", pa.string()),
        ("samples", "value", pa.decimal128(10, 2)),
        ("samples", "series_id", pa.int32()),
        ("series", "pod", pa.int64()),
        ("series", "pod", pa.binary()),
    ],
)
def test_a_column_is_of_another_type(one, table, column, kind):
    rewritten(one, table, with_column(column, lambda values: values.cast(kind)))
    assert check(one, OF_METRICS, "SELECT sum(value) AS s FROM metrics WHERE metric = 'up'") == 0


@pytest.mark.parametrize("times", [[1 << 60] * 2, [0, -(1 << 58)]])
def test_times_that_no_datetime_can_say(one, times):
    moments = pa.array(times, pa.int64()).cast(pa.timestamp("us", "UTC"))
    rewritten(one, "samples", with_column("time", lambda _: moments))
    assert check(one, OF_SAMPLES) == 0


def test_nanoseconds(one):
    kind = pa.timestamp("ns", "UTC")
    rewritten(one, "samples", with_column("time", lambda values: values.cast(kind)))
    assert check(one, OF_SAMPLES) == 0


def test_what_has_no_cluster_joins_nothing(one):
    nothing = with_column("cluster", lambda values: pa.nulls(len(values), pa.string()))
    for table in ("series", "samples"):
        rewritten(one, table, nothing)
    check(one, OF_METRICS)
    found = answered(one.snapshot(), OF_METRICS, pool=Pool(1 << 26))
    assert found is None or found.num_rows == 0


def test_values_that_are_missing(one):
    rewritten(one, "samples", with_column("value", lambda _: pa.array([1.0, None])))
    assert check(one, OF_SAMPLES) == 0


def test_rows_that_are_in_no_order_of_time(one):
    rewritten(one, "samples", lambda rows: rows.take([1, 0]))
    assert check(one, OF_SAMPLES + " AND time >= '2026-03-01'") == 0


def test_texts_of_which_statistics_tell_the_beginning(lake, make_samples):
    """Some writers cut them short: a metric is looked for wherever it may be."""
    names = [f"{'m' * 80}_{end}" for end in "abc"]
    parts = [make_samples([float(n)], metric=m, series_id=n) for n, m in enumerate(names)]
    lake.samples.append(pa.concat_tables(parts))
    footer = Footer(lake.snapshot().tables["samples"].files[0].path, SAMPLES)
    bounds = footer._texts["metric"]
    bounds.greatest[0] = names[0][:64]
    assert footer.of_texts("metric", [names[2]]).all()
    bounds.least[0] = bounds.greatest[0]
    assert not footer._is_alike(0, "metric", bounds)
    sql = f"SELECT value FROM samples WHERE metric = '{names[2]}'"
    assert answered(lake.snapshot(), sql)["value"].to_pylist() == [2.0]


def test_some_rows_without_a_metric_are_not_of_the_one_that_the_others_have(one):
    def half(values):
        return pa.array([values[0].as_py(), None])

    rewritten(one, "samples", with_column("metric", half))
    assert answered(one.snapshot(), OF_SAMPLES, pool=Pool(1 << 26)).num_rows == 1


def test_many_runs_and_few(lake, make_samples):
    """Of a row group, few runs are cut one by one, many at once."""
    n = 200
    parts = [make_samples(np.arange(5.0) + i, series_id=i) for i in range(n)]
    lake.samples.append(pa.concat_tables(parts))
    sql = (
        "SELECT series_id, value FROM samples WHERE metric = 'up' {} "
        "AND time >= '2026-03-01 12:00:01' AND time < '2026-03-01 12:00:04'"
    )
    assert check(lake, sql.format(""), sql.format("AND series_id IN (3, 5, 7)")) == 2
    wanted = answered(lake.snapshot(), sql.format("AND series_id IN (3, 5, 7)"))
    assert sorted(set(wanted["series_id"].to_pylist())) == [3, 5, 7]
