import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.errors import InvalidParameterError
from detectors.families import Family, Limits
from detectors.selection import KINDS, inject, shape_of
from detectors.selection.shape import periods

COLUMNS, FIRST = 600, 300
SIZED = ("spike", "level_shift", "ramp", "variance")


def panel(seed=0):
    """One series of each nature: noise, counts, a ratio, a level, a saw, a wave, nothing."""
    rng = np.random.default_rng(seed)
    t = np.arange(COLUMNS)
    rows = [
        rng.normal(1e9, 1e7, COLUMNS),
        rng.poisson(3.0, COLUMNS),
        np.clip(0.8 + 0.1 * rng.normal(size=COLUMNS), 0.0, 1.0),
        np.full(COLUMNS, 7.0),
        0.25 * (t % 40),
        50.0 + 10.0 * np.sin(2 * np.pi * t / 50) + rng.normal(size=COLUMNS),
        rng.normal(size=COLUMNS) - 3.0,
        np.full(COLUMNS, np.nan),
    ]
    values = np.array(rows, np.float32)
    values[0, 400:420] = np.nan
    return values


NOISE, COUNTS, RATIO, LEVEL, SAW, WAVE, NEGATIVE, NOTHING = range(8)
SEEDS = st.integers(0, 10_000)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=SEEDS, events=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_labels_are_where_values_changed_and_nowhere_else(kind, seed, events):
    values = panel()
    found = inject(kind, values, FIRST, shape_of(values[:, :FIRST]), seed, events=events)
    same = (found.values == values) | (np.isnan(found.values) & np.isnan(values))
    assert same[~found.labels].all()
    assert not found.labels[:, :FIRST].any()
    edges = np.diff(np.pad(found.labels, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    for row in range(len(values)):
        starts, ends = np.flatnonzero(edges[row] == 1), np.flatnonzero(edges[row] == -1)
        assert len(starts) <= events
        assert not same[row, starts].any(), "a label begins at a change"
        assert not same[row, ends - 1].any(), "and ends at one"
    assert (np.isnan(found.values) == np.isnan(values)).all(), "no gap is filled, none is made"
    assert found.values.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_a_fault_is_one_that_the_series_could_have_had(kind, seed):
    values = panel()
    found = inject(kind, values, FIRST, shape_of(values[:, :FIRST]), seed, events=2).values
    assert (found[COUNTS] == np.rint(found[COUNTS])).all()
    assert found[COUNTS].min() >= 0.0
    assert found[RATIO].min() >= 0.0
    assert found[RATIO].max() <= 1.0
    assert np.allclose(found[SAW] * 4, np.rint(found[SAW] * 4)), "on its steps of a quarter"
    assert np.isfinite(found[:NOTHING, :400]).all()


def limits(**more):
    return Limits.of([Family("some", (".*",), floor=None, **more)] * 8, np.arange(8))


@pytest.mark.parametrize("kind", ["spike", "level_shift", "ramp"])
@pytest.mark.parametrize(("direction", "sign"), [("above", 1), ("below", -1)])
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_a_fault_goes_where_it_does_harm(kind, direction, sign, seed):
    values = panel()
    shape = shape_of(values[:, :FIRST], limits(direction=direction))
    found = inject(kind, values, FIRST, shape, seed, events=2)
    moved = np.nan_to_num(np.where(found.labels, found.values - values, 0.0))
    assert (sign * moved >= 0.0).all()
    assert found.labels[[NOISE, WAVE, NEGATIVE]].any(axis=1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_large_enough_to_do_harm_or_is_none(kind):
    values = panel()
    shape = shape_of(values[:, :FIRST], limits(least_absolute=25.0))
    for seed in range(20):
        found = inject(kind, values, FIRST, shape, seed)
        far = np.nan_to_num(np.where(found.labels, np.abs(found.values - values), 0.0))
        far = far.max(axis=1)
        assert (far[found.labels.any(axis=1)] >= 25.0).all()
        if kind in {"spike", "level_shift", "ramp"}:
            assert found.labels[[COUNTS, LEVEL, WAVE]].any(axis=1).sum() >= 2


@pytest.mark.parametrize("kind", SIZED)
def test_every_series_with_data_gets_a_fault_with_a_size(kind):
    values = panel()
    found = inject(kind, values, FIRST, shape_of(values[:, :FIRST]), seed=1)
    # A level that was an integer is a count: noise of less than half a step is none.
    assert found.labels[[NOISE, COUNTS, LEVEL, SAW, WAVE, NEGATIVE]].any(axis=1).all()
    assert not found.labels[NOTHING].any()


def test_a_fault_that_cannot_be_seen_is_none():
    values = panel()
    shape = shape_of(values[:, :FIRST])
    assert not inject("flatline", values, FIRST, shape, seed=1).labels[LEVEL].any()
    assert not inject("period", values, FIRST, shape, seed=1).labels[[NOISE, COUNTS, LEVEL]].any()
    assert inject("period", values, FIRST, shape, seed=1).labels[[SAW, WAVE]].any(axis=1).all()
    nobody = np.zeros(len(values), np.bool_)
    for coupled, expected in ((nobody, False), (None, True)):
        found = inject("decoupling", values, FIRST, shape, seed=1, coupled=coupled)
        assert found.labels.any() == expected


def test_sizes_are_in_units_of_the_series_own_spread():
    values = panel()
    shape = shape_of(values[:, :FIRST])
    far = []
    for seed in range(60):
        found = inject("level_shift", values, FIRST, shape, seed).values
        far.append(np.nanmax(np.abs(found - values)[[NEGATIVE]], axis=1))
    sizes = np.array(far) / shape.spread[[NEGATIVE]]
    assert (sizes > 1.45).all()
    assert (sizes < 6.05).all()
    assert np.ptp(sizes) > 3.0, "small ones and great ones"


def test_a_flatline_repeats_what_was_seen_last():
    values = panel()
    found = inject("flatline", values, FIRST, shape_of(values[:, :FIRST]), seed=4)
    where = np.flatnonzero(found.labels[WAVE])
    assert len(set(found.values[WAVE, where[0] : where[-1] + 1])) == 1
    assert found.values[WAVE, where[0]] == values[WAVE, where[0] - 1]


def test_the_same_seed_gives_the_same_faults_and_another_others():
    values = panel()
    shape = shape_of(values[:, :FIRST])
    one, two, other = (inject("ramp", values, FIRST, shape, seed) for seed in (3, 3, 4))
    assert np.array_equal(one.values, two.values, equal_nan=True)
    assert not np.array_equal(one.labels, other.labels)
    assert not np.array_equal(values, one.values, equal_nan=True), "the input is left as it was"
    assert np.array_equal(values, panel(), equal_nan=True)


def test_huge_values_stay_finite():
    values = np.full((1, COLUMNS), 3e38, np.float32)
    values[0, ::2] = 1e38
    for kind in KINDS:
        found = inject(kind, values, FIRST, shape_of(values[:, :FIRST]), seed=0).values
        assert np.isfinite(found).all()


def test_refuses():
    values = panel()
    shape = shape_of(values[:, :FIRST])
    with pytest.raises(InvalidParameterError, match="spike"):
        inject("spkie", values, FIRST, shape, 0)
    for wrong in ({"first": COLUMNS - 3}, {"first": -1}, {"first": FIRST, "events": 0}):
        with pytest.raises(InvalidParameterError, match="columns each"):
            inject("spike", values, wrong["first"], shape, 0, events=wrong.get("events", 1))


def test_periods_are_told_from_trends_and_noise():
    rng = np.random.default_rng(2)
    t = np.arange(900)
    rows = np.stack(
        [
            np.sin(2 * np.pi * t / 60) + 0.3 * rng.normal(size=t.size),
            (t % 100 < 10) * 1.0,
            rng.normal(size=t.size),
            t * 1.0,
            np.cumsum(rng.normal(size=t.size)),
            np.full(t.size, np.nan),
        ]
    )
    found = periods(rows)
    assert abs(found[0] - 60) <= 1
    assert found[1] == 100
    assert found[[2, 3, 5]].tolist() == [0, 0, 0]
    assert periods(rows[:, :20]).tolist() == [0] * 6
