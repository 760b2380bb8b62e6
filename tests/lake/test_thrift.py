import io
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import thrift
from lake.column_chunks import TAIL_BYTES
from lake.errors import FooterError
from lake.thrift import Field, List


def signed(bits):
    return st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


SCALARS = {
    thrift.BOOL: st.booleans(),
    thrift.BYTE: signed(8),
    thrift.I16: signed(16),
    thrift.I32: signed(32),
    thrift.I64: signed(64),
    thrift.DOUBLE: st.floats(allow_nan=False),
    thrift.BINARY: st.binary(max_size=300),
}


def lists(structs):
    of_scalars = [
        st.lists(values, max_size=20).map(lambda items, kind=kind: List(kind, items))
        for kind, values in SCALARS.items()
    ]
    return st.one_of(*of_scalars, st.lists(structs, max_size=20).map(lambda s: List(12, s)))


def fields(structs):
    of_scalars = [
        values.map(lambda value, kind=kind: Field(kind, value)) for kind, values in SCALARS.items()
    ]
    return st.one_of(
        *of_scalars,
        structs.map(lambda s: Field(thrift.STRUCT, s)),
        lists(structs).map(lambda items: Field(thrift.LIST, items)),
    )


STRUCTS = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(st.integers(1, 32_767), fields(inner), max_size=6),
    max_leaves=12,
)


@given(STRUCTS, st.binary(max_size=8), st.binary(max_size=8))
def test_what_is_written_is_read_back(fields, before, after):
    data = thrift.encode(fields)
    assert thrift.decode(before + data + after, len(before)) == (fields, len(before) + len(data))


@given(STRUCTS, st.data())
def test_what_is_cut_off_is_refused(fields, data):
    encoded = thrift.encode(fields)
    kept = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(FooterError, match=r"cut off|longer than what follows"):
        thrift.decode(encoded[:kept])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_refused(data):
    try:
        _, end = thrift.decode(data)
    except FooterError:
        return
    assert 0 < end <= len(data)


def test_bytes_that_would_exhaust_the_stack():
    for nested in (b"\x1c", b"\x19\x1c", b"\x19\x19"):
        with pytest.raises(FooterError, match=r"deep|wire type|cut off|longer"):
            thrift.decode(nested * 100_000)
    with pytest.raises(FooterError, match="over 32 deep"):
        thrift.decode(b"\x1c" * 100_000)


def test_a_number_without_end():
    with pytest.raises(FooterError, match="more than 32 bits"):
        thrift.decode(b"\x15" + b"\xff" * 100)


def test_a_list_that_claims_to_be_huge():
    with pytest.raises(FooterError, match="longer than what follows"):
        thrift.decode(b"\x19\xf5\xff\xff\xff\x7f")


def test_pyarrows_footers_come_back_to_the_byte():
    rows = pa.table(
        {
            "name": ["a", None, "ünï"],
            "value": [math.nan, -0.0, 5e-324],
            "labels": pa.array([[("k", "v")], [], None], pa.map_(pa.string(), pa.string())),
        }
    )
    sink = io.BytesIO()
    pq.write_table(rows, sink, write_page_index=True, sorting_columns=[pq.SortingColumn(0)])
    data = sink.getvalue()
    start = len(data) - TAIL_BYTES - int.from_bytes(data[-TAIL_BYTES:-4], "little")
    footer, end = thrift.decode(data[:-TAIL_BYTES], start)
    assert end == len(data) - TAIL_BYTES
    assert thrift.encode(footer) == data[start:end]
