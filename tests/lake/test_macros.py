"""The macros against plain Python that says the same slowly."""

import bisect
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.macros import MACROS, create_macros
from tests.patience import least_seconds

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAN, INF = math.nan, math.inf

Points = Sequence[tuple[int, float | None]]
Buckets = Sequence[tuple[str, float | None]]


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(create_macros())
        yield connection


def over(engine, expression: str, columns: dict[str, str], rows: Sequence[tuple]) -> object:
    """The value of an expression over rows whose columns have these types."""
    names = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns.items())
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    source = (
        f"(VALUES {values}) t({', '.join(columns)})"
        if rows
        else "(SELECT " + ", ".join(f"NULL AS {name}" for name in columns) + " WHERE false)"
    )
    sql = f"SELECT {expression} FROM (SELECT {names} FROM {source})"
    return engine.execute(sql).fetchone()[0]


def literal(value: object) -> str:
    return "NULL" if value is None else f"'{value!s}'"


def of_points(engine, expression: str, points: Points) -> object:
    rows = [(NOON + timedelta(seconds=at), value) for at, value in points]
    return over(engine, expression, {"time": "TIMESTAMPTZ", "value": "DOUBLE"}, rows)


def known(points: Points) -> list[tuple[int, float]]:
    return sorted((at, v) for at, v in points if v is not None and not math.isnan(v))


def rises(points: Points) -> list[float]:
    values = [value for _, value in known(points)]
    return [b - a if b >= a else b for a, b in pairwise(values)]


def span(points: Points) -> int:
    times = [at for at, _ in known(points)]
    return times[-1] - times[0]


def increase(points: Points) -> float | None:
    return sum(rises(points)) if len(known(points)) > 1 else None


def rate(points: Points) -> float | None:
    return None if increase(points) is None else increase(points) / span(points)


def irate(points: Points) -> float | None:
    return rate(known(points)[-2:])


def delta(points: Points) -> float | None:
    values = known(points)
    return values[-1][1] - values[0][1] if len(values) > 1 else None


def latest(points: Points) -> float | None:
    return known(points)[-1][1] if known(points) else None


def resets(points: Points) -> int | None:
    values = [value for _, value in known(points)]
    pairs = pairwise(values)
    return sum(b < a for a, b in pairs) if len(values) > 1 else None


def changes(points: Points) -> int | None:
    values = [value for _, value in known(points)]
    pairs = pairwise(values)
    return sum(b != a for a, b in pairs) if len(values) > 1 else None


def deriv(points: Points) -> float | None:
    values = known(points)
    if len(values) < 2:
        return None
    mean_at = sum(at for at, _ in values) / len(values)
    mean = sum(value for _, value in values) / len(values)
    slope = sum((at - mean_at) * (value - mean) for at, value in values)
    return slope / sum((at - mean_at) ** 2 for at, _ in values)


def predicted(points: Points) -> float | None:
    values = known(points)
    if len(values) < 2:
        return None
    mean_at = sum(at for at, _ in values) / len(values)
    mean = sum(value for _, value in values) / len(values)
    return mean + deriv(points) * (values[-1][0] + 3600 - mean_at)


OVER_POINTS = {
    "increase(value, time)": increase,
    "rate(value, time)": rate,
    "irate(value, time)": irate,
    "delta(value, time)": delta,
    "latest(value, time)": latest,
    "resets(value, time)": resets,
    "changes(value, time)": changes,
    "deriv(value, time)": deriv,
    "predict_linear(value, time, INTERVAL 1 HOUR)": predicted,
}

VALUES = st.one_of(
    st.none(), st.just(NAN), st.integers(0, 5).map(float), st.floats(0, 1e6, allow_subnormal=False)
)
POINTS = st.lists(st.tuples(st.integers(0, 10_000), VALUES), max_size=12, unique_by=lambda p: p[0])


@pytest.mark.parametrize("expression", OVER_POINTS)
@given(points=POINTS)
def test_functions_of_a_series(engine, expression, points):
    found, expected = of_points(engine, expression, points), OVER_POINTS[expression](points)
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_nothing_is_known_of_one_instant(engine):
    """Of two samples of one time, which counts is for compaction to say."""
    assert of_points(engine, "rate(value, time)", [(5, 1.0), (5, 9.0)]) is None
    assert of_points(engine, "irate(value, time)", [(5, 1.0), (5, 9.0)]) is None


def test_rises_of_buckets_add_up_to_that_of_the_whole(engine):
    points = [(at, float(at % 70)) for at in range(0, 600, 7)]
    rows = ", ".join(f"({at}, {value})" for at, value in points)
    sql = f"""
        SELECT sum(rise) FROM (
            SELECT s - s % 60 AS bucket, sum(rise) AS rise
            FROM (SELECT s, rise(value, lag(value) OVER (ORDER BY s)) AS rise
                  FROM (VALUES {rows}) t(s, value)) GROUP BY 1)"""
    assert engine.execute(sql).fetchone()[0] == increase(points)


def test_integers_and_decimals_are_counters_too(engine):
    sql = "SELECT increase(v, t) FROM (VALUES (1, now()), (5, now() + INTERVAL 1 SECOND)) x(v, t)"
    assert engine.execute(sql).fetchone() == (4.0,)
    assert engine.execute(sql.replace("(5,", "(5.5,")).fetchone() == (4.5,)


def test_labels(engine):
    sql = "SELECT label(MAP {'a': 'x'}, 'a'), label(MAP {'a': 'x'}, 'b'), label(NULL, 'a')"
    assert engine.execute(sql).fetchone() == ("x", None, None)


def bucket_quantile(  # noqa: C901 - as long as the algorithm
    quantile: float, given: Buckets
) -> float | None:
    """Prometheus' algorithm, by its description; a rate that is NaN makes NaN of all."""
    merged: dict[float, float] = {}
    for le, count in given:
        try:
            bound = float(le)
        except ValueError:
            continue
        if count is not None and not math.isnan(bound):
            merged[bound] = merged.get(bound, 0.0) + count
    bounds = sorted(merged)
    if not bounds:
        return None
    if math.isnan(quantile):
        return NAN
    if not 0 <= quantile <= 1:
        return -INF if quantile < 0 else INF
    if len(bounds) < 2 or bounds[-1] != INF or any(map(math.isnan, merged.values())):
        return NAN
    counts = [merged[bounds[0]]]
    for bound in bounds[1:]:
        before, count = counts[-1], merged[bound]
        equal = count == before or abs(count - before) / (abs(count) + abs(before)) < 1e-12
        counts.append(before if equal or count < before else count)
    if counts[-1] == 0:
        return NAN
    rank = quantile * counts[-1]
    found = bisect.bisect_left(counts, rank, hi=len(counts) - 1)
    if found == len(counts) - 1:
        return bounds[-2]
    if found == 0 and bounds[0] <= 0:
        return bounds[0]
    start = bounds[found - 1] if found else 0.0
    below = counts[found - 1] if found else 0.0
    within = counts[found] - below
    share = (rank - below) / within if within else NAN
    return start + (bounds[found] - start) * share


def quantile_of(engine, quantile: float | None, buckets: Buckets) -> float | None:
    shown = literal(quantile)
    return over(
        engine,
        f"histogram_quantile(CAST({shown} AS DOUBLE), le, rate)",
        {"le": "VARCHAR", "rate": "DOUBLE"},
        buckets,
    )


BOUNDS = st.sampled_from(["-1", "0", "0.1", "0.5", "1", "2.5", "+Inf", "Inf", "NaN", "word", "1.0"])
RATES = st.one_of(
    st.none(),
    st.integers(0, 9).map(float),
    st.floats(0, 1e9, allow_subnormal=False),
    st.just(NAN),
    st.sampled_from([1.0, 1.0 + 1e-15, 1.0 - 1e-15]),
)


@given(
    quantile=st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, -0.5, 1.5, NAN, INF, -INF])),
    buckets=st.lists(st.tuples(BOUNDS, RATES), max_size=10),
)
def test_histogram_quantile_is_prometheus(engine, quantile, buckets):
    found, expected = quantile_of(engine, quantile, buckets), bucket_quantile(quantile, buckets)
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("quantile", "buckets", "expected"),
    [
        pytest.param(0.5, [("1", 4), ("2", 8), ("+Inf", 8)], 1.0, id="at a bound"),
        pytest.param(0.75, [("1", 4), ("2", 8), ("+Inf", 8)], 1.5, id="within a bucket"),
        pytest.param(0.25, [("1", 4), ("2", 8), ("+Inf", 8)], 0.5, id="the lowest begins at 0"),
        pytest.param(0.1, [("-1", 4), ("2", 8), ("+Inf", 8)], -1.0, id="not above 0"),
        pytest.param(0.99, [("1", 4), ("2", 8), ("+Inf", 10)], 2.0, id="in the highest"),
        pytest.param(0.9, [("1", 4), ("2", 3), ("+Inf", 10)], 2.0, id="shrinking is mended"),
        pytest.param(0.5, [("1", 2), ("1", 2), ("+Inf", 4), ("Inf", 4)], 1.0, id="added up"),
        pytest.param(1.0, [("1", 1.0), ("2", 1.0 + 1e-15), ("+Inf", 1.0)], 1.0, id="rounding"),
        pytest.param(0.5, [("1", 4), ("2", 8)], NAN, id="without +Inf"),
        pytest.param(0.5, [("+Inf", 8)], NAN, id="one bucket"),
        pytest.param(0.5, [("1", 0), ("+Inf", 0)], NAN, id="no observations"),
        pytest.param(0.0, [("1", 0), ("2", 4), ("+Inf", 4)], NAN, id="0 in an empty bucket"),
        pytest.param(-0.1, [("1", 4), ("+Inf", 8)], -INF, id="below 0"),
        pytest.param(1.1, [("1", 4), ("+Inf", 8)], INF, id="above 1"),
        pytest.param(None, [("1", 4), ("+Inf", 8)], None, id="no quantile"),
        pytest.param(0.5, [], None, id="no bucket"),
    ],
)
def test_quantiles_of_histograms(engine, quantile, buckets, expected):
    assert quantile_of(engine, quantile, buckets) == pytest.approx(expected, nan_ok=True)


@given(
    values=st.lists(st.one_of(st.none(), st.just(NAN), st.integers(0, 9).map(float)), max_size=9)
)
def test_gaps_are_filled_within_each_series(engine, values):
    rows = [(series, at, value) for series in "ab" for at, value in enumerate(values)]
    listed = ", ".join(f"('{s}', {at}, {literal(v)}::DOUBLE)" for s, at, v in reversed(rows))
    source = f"(VALUES {listed}) t(series, s, value)"
    sql = f"""
        SELECT series, locf(value, series, time), interpolate(value, series, time)
        FROM (SELECT *, TIMESTAMPTZ '2026-03-01' + to_seconds(s) AS time FROM {source})
        ORDER BY series, time"""
    found = engine.execute(sql).fetchall() if rows else []
    there = [at for at, v in enumerate(values) if v is not None and not math.isnan(v)]
    for at, (_, carried, drawn) in enumerate(found[: len(values)]):
        before = [i for i in there if i <= at][-1:]
        after = [i for i in there if i >= at][:1]
        assert carried == (values[before[0]] if before else None)
        if before and after and before != after:
            share = (at - before[0]) / (after[0] - before[0])
            line = values[before[0]] + (values[after[0]] - values[before[0]]) * share
            assert drawn == pytest.approx(line)
        else:
            assert drawn == (values[at] if before and after else None)
    assert found[len(values) :] == [("b", *row[1:]) for row in found[: len(values)]]


def test_no_function_of_the_engine_is_hidden():
    with duckdb.connect() as plain:
        sql = "SELECT function_name FROM duckdb_functions() WHERE function_name IN $names"
        assert plain.execute(sql, {"names": list(MACROS)}).fetchall() == []


@pytest.mark.slow
@pytest.mark.parametrize("groups", [1, 5_000])
def test_a_million_rows_take_about_a_second(engine, groups):
    """Also in one group: a macro over lists is easily quadratic, and would take hours."""
    engine.execute(f"""CREATE OR REPLACE TABLE many AS
        SELECT i % {groups} AS series_id, NOW() + to_seconds(i) AS time, (i % 997)::DOUBLE AS value
        FROM range(1000000) t(i)""")
    for function in ("rate", "increase", "irate", "resets"):
        sql = f"SELECT series_id, {function}(value, time) FROM many GROUP BY 1"
        assert least_seconds(lambda sql=sql: engine.execute(sql).fetchall()) < 10.0, function
