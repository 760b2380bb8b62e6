"""Merging tables whose views choose among rows: the views say the same before and after."""

import itertools
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake import Lake
from lake.maintenance.compaction import compact
from lake.maintenance.policy import CompactionPolicy
from lake.maintenance.shapes import SHAPES
from lake.schema import ANOMALIES, EVENTS, OBJECTS, SERIES, TABLES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 10, tzinfo=UTC)
STEPWISE = CompactionPolicy(fan_in=2)


def rows_of(spec, dicts):
    """A table of the spec, null where a row says nothing."""
    return pa.table(
        [pa.array([row.get(f.name) for row in dicts], f.type) for f in spec.schema],
        names=spec.schema.names,
    )


def view(lake, name):
    with lake.snapshot().connect() as connection:
        return sorted(connection.execute(f"FROM {name}").fetchall(), key=repr)


def both_ways(factory, spec, commits):
    """The view over the files as they were appended, merged step by step, and merged at once."""
    views, stored = [], []
    for policy in (None, STEPWISE, CompactionPolicy(fan_in=2)):
        lake = Lake.open(factory.mktemp("lake"))
        for rows in commits:
            lake.tables[spec.name].append(rows_of(spec, rows))
            if policy is STEPWISE:
                compact(lake.tables[spec.name], policy, NOON)
        if policy is not None:
            compact(lake.tables[spec.name], policy, LATER)
        views.append(view(lake, spec.name))
        stored.append(sum(file.rows for file in lake.tables[spec.name].files()[1]))
    return views, stored


def commits_of(row):
    return st.lists(st.lists(row, min_size=1, max_size=6), min_size=1, max_size=5)


EVENT = st.fixed_dictionaries(
    {
        "cluster": st.sampled_from(["eu", "us"]),
        "time": st.sampled_from([NOON, NOON + timedelta(hours=3), NOON + timedelta(days=1)]),
        "source": st.just("kubernetes"),
        "uid": st.sampled_from(["a", "b"]),
        "count": st.integers(1, 2),
        "message": st.sampled_from([None, "same"]),
    }
)
SLOW = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(commits=commits_of(EVENT))
def test_events(tmp_path_factory, commits):
    """Rows that the view takes for one differ in nothing that it could tell them apart by."""
    for row in itertools.chain(*commits):
        row["message"] = "same"
    (before, stepwise, at_once), stored = both_ways(tmp_path_factory, EVENTS, commits)
    assert before == stepwise == at_once
    assert stored[1] == stored[2] == len(before)


SERIES_ROW = st.fixed_dictionaries(
    {
        "cluster": st.sampled_from(["eu", "us"]),
        "metric": st.just("up"),
        "series_id": st.integers(1, 2),
        "kind": st.sampled_from([None, "gauge", "counter"]),
        "unit": st.sampled_from([None, "s"]),
        "help": st.sampled_from([None, "old", "new"]),
        "seen": st.permutations(range(4)).map(lambda order: order[0]),
    }
)


@SLOW
@given(commits=commits_of(SERIES_ROW))
def test_series(tmp_path_factory, commits):
    """Also where a row was seen later than one that was committed after it."""
    for number, row in enumerate(itertools.chain(*commits)):
        # No two rows of a series are as new: which one a view takes would be chance.
        seen = NOON + timedelta(days=row.pop("seen"), seconds=number)
        row |= {"first_seen": seen - timedelta(hours=1), "last_seen": seen, "labels": [("a", "b")]}
    (before, stepwise, at_once), stored = both_ways(tmp_path_factory, SERIES, commits)
    assert before == stepwise == at_once
    assert stored[2] <= 4 * len(before)


def test_series_with_whole_metadata_are_stored_once(lake):
    for day in range(10):
        seen = NOON + timedelta(days=day)
        row = {"cluster": "eu", "metric": "up", "series_id": 1, "kind": "gauge", "unit": "s"}
        row |= {"help": "text", "first_seen": seen, "last_seen": seen}
        lake.series.append(rows_of(SERIES, [row]))
    compact(lake.series, STEPWISE, LATER)
    assert sum(file.rows for file in lake.series.files()[1]) == 1
    (found,) = lake.sql("SELECT first_seen, last_seen FROM series").to_pylist()
    assert found["last_seen"] - found["first_seen"] == timedelta(days=9)


ANOMALY = st.fixed_dictionaries(
    {
        "cluster": st.sampled_from(["eu", "us"]),
        "anomaly_id": st.sampled_from(["a", "b"]),
        "lake_version": st.integers(1, 3),
        "state": st.sampled_from(["interim", "final"]),
        "minutes": st.integers(1, 3),
    }
)


@SLOW
@given(commits=commits_of(ANOMALY))
def test_anomalies(tmp_path_factory, commits):
    for row in itertools.chain(*commits):
        row |= {"start": NOON, "end": NOON + timedelta(minutes=row.pop("minutes"))}
        row |= {"peak_time": NOON, "score": 2.0, "detector": "d", "model_version": "1"}
    (before, stepwise, at_once), stored = both_ways(tmp_path_factory, ANOMALIES, commits)
    assert before == stepwise == at_once
    assert stored[1] == stored[2] == len(before)


def test_objects_are_kept_as_they_are(lake):
    row = {"cluster": "eu", "time": NOON, "kind": "Pod", "name": "a", "uid": "u", "change": "seen"}
    for _ in range(3):
        lake.objects.append(rows_of(OBJECTS, [row, row]))
    before = view(lake, "objects")
    compact(lake.objects, STEPWISE, LATER)
    assert view(lake, "objects") == before
    assert len(before) == 6
    assert len(lake.objects.files()[1]) == 1


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_has_a_shape(name):
    """A new table is merged as it is until somebody says what its rows are."""
    assert name in SHAPES
