"""Rows as JSON: values that come again are written once, and all is as if they were not."""

import json
import math
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from lake.batches import gathered
from lake.results.json_text import LEAST_ROWS, joined

ROWS = 2 * LEAST_ROWS
START = datetime(2026, 3, 1, tzinfo=UTC)

COLUMNS = {
    "few texts": pa.array([f"pod-{i % 3}" for i in range(ROWS)]),
    "few texts with escapes": pa.array([f'a"{i % 3}\n' for i in range(ROWS)]),
    "few texts or none": pa.array([None if i % 3 == 0 else f"{i % 2}" for i in range(ROWS)]),
    "none": pa.nulls(ROWS, pa.string()),
    "few numbers": pa.array([i % 4 / 8 for i in range(ROWS)]),
    "few numbers and NaN": pa.array([(math.nan, math.inf, 0.5)[i % 3] for i in range(ROWS)]),
    "few whole numbers": pa.array([i % 5 for i in range(ROWS)]),
    "few times": pa.array([START + timedelta(seconds=i % 4) for i in range(ROWS)]),
    "truths": pa.array([(True, False, None)[i % 3] for i in range(ROWS)]),
    "first the same, then all others": pa.array([float(max(i - 100, 0)) for i in range(ROWS)]),
    "all others": pa.array([i / 7 for i in range(ROWS)]),
    "other times": pa.array([START + timedelta(hours=7 * i, microseconds=i) for i in range(ROWS)]),
    "lists": pa.array([[i % 2, None] for i in range(ROWS)]),
}


def text(columns: list[pa.Array]) -> str:
    batch = pa.RecordBatch.from_arrays(columns, [str(i) for i in range(len(columns))])
    parts = ["[", *[","] * (len(columns) - 1), "]"]
    return bytes(joined(batch, parts, "\n")).decode()


@pytest.mark.parametrize("name", COLUMNS)
def test_many_rows_are_written_as_each_by_itself(name: str) -> None:
    column = COLUMNS[name]
    alone = "".join(text([column.slice(i, 1)]) for i in range(ROWS))
    assert text([column]) == alone
    between = [COLUMNS["few texts"], column, column, COLUMNS["all others"]]
    rows = [json.loads(line) for line in text(between).splitlines()]
    values = [json.loads(line)[0] for line in alone.splitlines()]
    assert [row[1:3] for row in rows] == [[value, value] for value in values]
    assert [row[0] for row in rows] == COLUMNS["few texts"].to_pylist()


def test_rows_are_gathered_to_batches_of_a_size() -> None:
    def batch(*numbers: int) -> pa.RecordBatch:
        return pa.record_batch({"n": pa.array(numbers, pa.int64())})

    made = [batch(1), batch(2), batch(3), batch(4), batch(5), batch(*range(6, 20)), batch(20)]
    found = [each.column(0).to_pylist() for each in gathered(made, 16)]
    assert found == [[1, 2], [3, 4], [5], list(range(6, 20)), [20]]
    assert list(gathered([], 16)) == []
