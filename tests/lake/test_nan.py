"""NaN is a value that no bound tells of: filters find it in files of either writer."""

import pytest

from lake.maintenance import CompactionPolicy, compact

NAN = float("nan")


@pytest.mark.parametrize("values", [[1.0, 2.0, NAN], [NAN, NAN], [1.0, 2.0], [7.0, NAN, -7.0]])
@pytest.mark.parametrize("dense", [False, True], ids=["as flushed", "as merged"])
def test_filters_are_of_the_values(lake, make_samples, noon, values, dense):
    lake.samples.append(make_samples(values))
    if dense:
        lake.samples.append(make_samples([0.5], series_id=9))
        assert compact(lake.samples, CompactionPolicy(), noon.replace(year=2027)).merges == 1
    for condition in ("isnan(value)", "NOT isnan(value)", "value > 5", "value < 0", "value = 1"):
        filtered = lake.sql(f"SELECT count(*) AS n FROM samples WHERE {condition}")
        counted = lake.sql(f"SELECT count(*) FILTER ({condition}) AS n FROM samples")
        assert filtered == counted, condition


def test_without_it_bounds_still_leave_row_groups_out(lake, make_samples, noon):
    for i in range(2):
        lake.samples.append(make_samples([float(i)], series_id=i))
    compact(lake.samples, CompactionPolicy(), noon.replace(year=2027))
    plan = lake.sql("EXPLAIN ANALYZE SELECT * FROM samples WHERE value > 5")
    assert "Empty Result" in str(plan.to_pylist())
