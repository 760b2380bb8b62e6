"""The table `objects`: history of every cluster's objects."""

from datetime import timedelta

import pyarrow as pa
import pytest

from lake.errors import SchemaError
from lake.pruning.reads import reading
from lake.schema import OBJECTS


@pytest.fixture
def build(noon):
    def rows(**changes):
        row = {"cluster": "eu", "time": noon, "kind": "Pod", "name": "a", "uid": "u",
               "change": "added", "state": '{"phase": "Running"}'}  # fmt: skip
        columns = [pa.array([(row | changes).get(f.name)], f.type) for f in OBJECTS.schema]
        return pa.table(columns, schema=OBJECTS.schema)

    return rows


def test_rows_come_back_and_their_state_is_json(lake, build, noon):
    lake.objects.append(build())
    lake.objects.append(build(time=noon + timedelta(days=1), change="removed"))
    found = lake.sql("SELECT date, change, state->>'$.phase' AS phase FROM objects ORDER BY time")
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (noon.date(), "added", "Running"),
        (noon.date() + timedelta(days=1), "removed", "Running"),
    ]


@pytest.mark.parametrize("name", ["cluster", "time", "kind", "name", "uid", "change"])
def test_what_must_be_there(name, lake, build):
    with pytest.raises(SchemaError, match=name):
        lake.objects.append(build(**{name: None}))


def test_a_bound_on_time_leaves_out_days(noon):
    query = "SELECT * FROM objects WHERE time <= '2026-03-01' AND time > '2026-02-28'"
    (read,) = reading(query).reads
    assert read.tables == ("objects",)
    assert read.condition.days() == [((noon - timedelta(days=2)).date(), noon.date())]
