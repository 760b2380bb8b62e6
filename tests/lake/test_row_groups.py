import io
from itertools import pairwise

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Lake
from lake.row_groups import cuts, write_dense
from lake.schema import SAMPLES
from lake.schema import SERIES as SERIES_TABLE
from tests.lake.dense_columns import SERIES, bits, noise, samples

several = settings(deadline=None, max_examples=40)
"""Each example writes and reads files: thousands of them would take minutes."""


def written(rows, **options):
    sink = io.BytesIO()
    metadata = write_dense(sink, rows, **options)
    assert metadata.equals(pq.read_metadata(io.BytesIO(sink.getvalue())))
    return sink.getvalue()


def assert_same(found, rows):
    """Equal by the bits, whatever engine gave the rows."""
    assert found.column_names == rows.column_names
    for name in rows.column_names:
        if pa.types.is_floating(rows.schema.field(name).type):
            assert np.array_equal(bits(found[name]), bits(rows[name])), name
        else:
            assert found[name].cast(rows[name].type).equals(rows[name]), name


@several
@given(SERIES, st.integers(100, 2000), st.integers(0, 99), st.booleans())
def test_every_engine_reads_the_same_bits(tmp_path_factory, series, group_rows, seed, required):
    rows = samples(series, seed)
    if not required:
        rows = pa.table(rows.columns, names=rows.column_names)
    data = written(rows, group_rows=group_rows)
    path = tmp_path_factory.mktemp("dense") / "rows.parquet"
    path.write_bytes(data)
    assert_same(pq.read_table(path), rows)
    assert_same(pl.read_parquet(path).to_arrow(), rows)
    with duckdb.connect() as connection:
        assert_same(connection.read_parquet(str(path)).to_arrow_table(), rows)


@several
@given(SERIES, st.integers(100, 2000))
def test_statistics_are_pyarrows_own(series, group_rows):
    rows = samples(series)
    dense = pq.read_metadata(io.BytesIO(written(rows, group_rows=group_rows)))
    start, values = 0, rows.schema.get_field_index("value")
    for number in range(dense.num_row_groups):
        group = dense.row_group(number)
        sink = io.BytesIO()
        pq.write_table(rows.slice(start, group.num_rows), sink)
        usual = pq.read_metadata(sink).row_group(0)
        for column in range(group.num_columns):
            ours, theirs = group.column(column).statistics, usual.column(column).statistics
            assert (ours is None) == (theirs is None)
            wanted = theirs and theirs.to_dict()
            if column == values and np.isnan(rows["value"].slice(start, group.num_rows)).any():
                wanted |= {"has_min_max": False, "min": None, "max": None}
            # repr tells -0.0 from 0.0.
            assert repr(ours and ours.to_dict()) == repr(wanted)
        start += group.num_rows
    assert start == rows.num_rows == dense.num_rows


@several
@given(SERIES, st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(100, 700))
def test_tables_one_after_the_other_give_the_same_file(series, sizes, group_rows):
    rows = samples(series)
    starts = np.minimum(np.cumsum([0, *sizes]), rows.num_rows).tolist()
    parts = [
        rows.slice(low, high - low)
        for low, high in zip(starts, [*starts[1:], rows.num_rows], strict=True)
    ]
    assert written(iter(parts), group_rows=group_rows) == written(rows, group_rows=group_rows)


@several
@given(SERIES)
def test_dictionaries_are_written_as_what_they_stand_for(series):
    rows = samples(series)
    metric = rows["metric"].dictionary_encode().combine_chunks()
    unused = pa.concat_arrays([pa.array(["unused" * 1000, "also unused"]), metric.dictionary])
    coded = pa.DictionaryArray.from_arrays(
        pa.array(np.asarray(metric.indices) + 2, pa.int32()), unused
    )
    fields = [
        pa.field("metric", coded.type, nullable=False) if f.name == "metric" else f
        for f in rows.schema
    ]
    columns = [coded if f.name == "metric" else rows[f.name] for f in rows.schema]
    assert written(pa.table(columns, schema=pa.schema(fields))) == written(rows)


def last(starts, low, most):
    """The last start that leaves a group from `low` at least half full; 0 = none."""
    within = starts[(starts >= low + max(most // 2, 1)) & (starts <= low + most)]
    return int(within.max(initial=0))


@given(
    st.lists(st.integers(1, 40), max_size=40),
    st.lists(st.integers(1, 9), max_size=9),
    st.integers(1, 100),
)
def test_row_groups_end_with_metrics_where_they_can(series, of_metrics, most):
    starts = np.cumsum([0, *series])
    n, starts = int(starts[-1]), starts[:-1]
    places = np.unique(np.cumsum([0, *of_metrics]))
    metrics = starts[places[places < len(starts)]]
    ends = cuts(metrics, starts, n, most)
    assert ends[0] == 0
    assert ends[-1] == n
    assert all(0 < high - low <= most for low, high in pairwise(ends))
    for low, high in pairwise(ends[:-1]):
        assert high == (last(metrics, low, most) or last(starts, low, most) or low + most)


def test_a_file_without_rows():
    rows = SAMPLES.schema.empty_table()
    data = written(rows)
    assert pq.read_table(io.BytesIO(data)).schema.equals(rows.schema)
    assert pl.read_parquet(io.BytesIO(data)).height == 0


@pytest.mark.parametrize("n", [0, 1, 3000])
def test_texts_maps_and_nulls(tmp_path, n):
    rng = np.random.default_rng(n)
    texts = [None if k % 7 == 0 else "" if k % 5 == 0 else f"text {k % 90}" for k in range(n)]
    columns = {
        field.name: texts if field.nullable else [f"name {k % 3}" for k in range(n)]
        for field in SERIES_TABLE.schema
    }
    ids = rng.integers(-(1 << 63), 1 << 63, n)
    columns["labels"] = [None if k % 11 == 0 else [("k", str(k))] * (k % 4) for k in range(n)]
    columns |= {"series_id": ids, "first_seen": ids // 4, "last_seen": np.arange(n)}
    rows = pa.table(columns, schema=SERIES_TABLE.schema)
    path = tmp_path / "rows.parquet"
    path.write_bytes(written(rows, group_rows=1000))
    assert pq.read_table(path).equals(rows)
    assert_same(pl.read_parquet(path).drop("labels").to_arrow(), rows.drop_columns("labels"))
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(path)).to_arrow_table()
    assert found["labels"].to_pylist() == rows["labels"].to_pylist()
    assert_same(found.drop_columns("labels"), rows.drop_columns("labels"))


def test_values_with_nulls_and_whole_numbers():
    n = 5000
    rng = np.random.default_rng(1)
    rows = pa.table(
        {
            "value": pa.array(rng.random(n), mask=rng.random(n) < 0.3),
            "all_null": pa.nulls(n, pa.float64()),
            "count": rng.integers(0, 1 << 62, n),
            "small": pa.array(rng.integers(-100, 100, n), pa.int16()),
            "yes": rng.random(n) < 0.5,
            "single": rng.random(n).astype(np.float32),
        }
    )
    data = written(rows, group_rows=2000)
    assert pq.read_table(io.BytesIO(data)).equals(rows)
    assert pl.read_parquet(io.BytesIO(data)).to_arrow().cast(rows.schema).equals(rows)


def test_duckdbs_own_account_of_the_file(tmp_path):
    rows = samples([(noise, 3000, True)] * 5)
    path = tmp_path / "rows.parquet"
    path.write_bytes(written(rows, group_rows=6000))
    with duckdb.connect() as connection:
        chunks = connection.execute(
            "SELECT row_group_id, path_in_schema, row_group_num_rows, num_values,"
            " total_compressed_size, data_page_offset, dictionary_page_offset, compression,"
            " row_group_compressed_bytes FROM parquet_metadata(?) ORDER BY 1, column_id",
            [str(path)],
        ).fetchall()
        (footer,) = connection.execute(
            "SELECT footer_size FROM parquet_file_metadata(?)", [str(path)]
        ).fetchone()
    assert {(group, n) for group, _, n, *_ in chunks} == {(0, 6000), (1, 6000), (2, 3000)}
    assert all(values == n and codec == "ZSTD" for _, _, n, values, _, _, _, codec, _ in chunks)
    # Chunks lie end to end, from the magic number to the footer.
    at = 4
    for _, _, _, _, size, data_page, dictionary_page, _, _ in chunks:
        assert at == (dictionary_page or data_page)
        at += size
    assert at + footer + 8 == path.stat().st_size


def test_delta_rs_reads_it_in_a_table(tmp_path):
    rows = samples([(noise, 500, True)] * 20, cluster="one")
    lake = Lake.open(tmp_path / "lake")
    lake.samples.append(rows)
    _, before = lake.samples.files()
    file = lake.samples.write(rows, before[0].day, dense=True)
    lake.samples.rewrite([file], before)
    assert len(lake.samples.files()[1]) == 1
    table = DeltaTable(str(lake.samples.folder))
    found = pa.table(
        QueryBuilder()
        .register("samples", table)
        .execute("SELECT cluster, metric, series_id, time, value FROM samples ORDER BY 1, 2, 3, 4")
        .read_all()
    )
    assert_same(found, rows)
    assert_same(lake.sql("SELECT * EXCLUDE (date) FROM samples ORDER BY ALL"), rows)


def test_it_is_worth_its_time():
    """Jumping, drifting and resting series: two thirds of what a plain writer takes, or less."""
    rng = np.random.default_rng(5)
    durations = [np.round(rng.gamma(9, 4e-6, 1200), 9) for _ in range(40)]
    buckets = [np.cumsum(rng.random(1200) < 0.01).astype(float)] * 100
    resting = [np.full(1200, rng.random()) for _ in range(200)]
    values = [*buckets, *durations, *resting]
    rows = samples([(lambda _, n, v=v: v, 1200, k % 20 == 0) for k, v in enumerate(values)])
    sink = io.BytesIO()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        compression_level=9,
        use_dictionary=["cluster", "metric", "series_id"],
    )
    assert len(written(rows)) < len(sink.getvalue()) * 2 / 3
