"""What the table `series` is asked for a query's filters."""

import re
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Lake
from lake.connection import connect
from lake.prepare import ASK_ABOVE, prepare
from lake.schema import SAMPLES, SERIES

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEYS = "(cluster, metric, series_id)"


def rows(spec, each):
    columns = [pa.array([row.get(field.name) for row in each], field.type) for field in spec.schema]
    return pa.table(columns, schema=spec.schema)


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """A file an hour, of one series each; the pod of series 3 is not known, 4 has no samples."""
    lake = Lake.open(tmp_path_factory.mktemp("asked") / "lake")
    keys = [{"cluster": "eu", "metric": f"m{n}", "series_id": n} for n in range(5)]
    pods = ["api-0", "api-1", "api-2", None, "api-4"]
    seen = {"first_seen": FIRST, "last_seen": FIRST + 2 * timedelta(days=1)}
    about = [{**key, "pod": pod, **seen} for key, pod in zip(keys, pods, strict=True)]
    lake.series.append(rows(SERIES, about))
    for n in range(ASK_ABOVE + 8):
        row = {**keys[n % 4], "time": FIRST + n * HOUR, "value": float(n)}
        lake.samples.append(rows(SAMPLES, [row]))
    return lake


@pytest.fixture(scope="module")
def everything(lake):
    with connect(lake.snapshot().paths()) as connection:
        yield connection


def opened(lake, sql):
    return len(prepare(lake.snapshot(), sql).paths["samples"])


NULL_IS_WANTED = [
    # what the right side of an outer join lacks
    "FROM series r LEFT JOIN samples s ON r.series_id = s.series_id WHERE s.series_id IS NULL",
    f"FROM series r LEFT JOIN samples s USING {KEYS} WHERE s.series_id IS NULL",
    f"FROM series r LEFT JOIN samples s USING {KEYS} WHERE s.metric IS DISTINCT FROM 'm1'",
    f"FROM series r LEFT JOIN samples s USING {KEYS} WHERE coalesce(s.metric, 'none') = 'none'",
    f"FROM series r LEFT JOIN samples s USING {KEYS} WHERE NOT (s.metric IS NOT NULL)",
    f"FROM series r LEFT JOIN samples s USING {KEYS} WHERE s.metric = 'm9' OR s.metric IS NULL",
    f"FROM series r LEFT JOIN metrics s USING {KEYS} WHERE s.pod IS NOT DISTINCT FROM NULL",
    f"FROM series r LEFT JOIN metrics s USING {KEYS} "
    "WHERE list_contains(list_value(s.pod), 'api-1') = false",
    "FROM series r LEFT JOIN (FROM samples) s USING (series_id) WHERE s.series_id IS NULL",
    "WITH a AS (FROM samples) FROM series r LEFT JOIN a ON a.series_id = r.series_id "
    "WHERE a.series_id IS NULL",
    "FROM (FROM series r LEFT JOIN samples s USING (series_id) SELECT s.metric AS m) "
    "WHERE m IS NULL",
    "FROM series x JOIN (series r LEFT JOIN samples s USING (series_id)) ON s.series_id IS NULL",
    # whose column is not the one of the same name that the left side has
    "FROM samples s LEFT JOIN (FROM series WHERE pod = 'api-1') r USING (series_id) "
    "WHERE r.series_id IS NULL",
    "FROM series r LEFT JOIN (FROM samples WHERE metric = 'm2') s USING (series_id) "
    "JOIN samples q USING (series_id) WHERE s.series_id IS NULL",
    "FROM (FROM samples WHERE metric = 'm1') a RIGHT JOIN series r USING (series_id) "
    "JOIN samples q USING (series_id) WHERE a.series_id IS NULL",
]

OTHERS_OF_THE_NAME = [
    "WITH series AS (SELECT series_id, upper(pod) AS pod FROM series) "
    "FROM samples JOIN series USING (series_id) WHERE series.pod = 'API-1'",
    "FROM samples JOIN series AS r(c, pod, series_id) USING (series_id) WHERE r.pod = 'm1'",
    "FROM samples s JOIN (SELECT cluster, pod FROM metrics) b ON s.cluster = b.cluster "
    "JOIN series r USING (series_id) WHERE r.pod = 'api-1'",
    "FROM (samples s SEMI JOIN series q ON s.cluster = q.cluster AND q.pod = 'api-1') "
    f"JOIN series r USING {KEYS}",
    "FROM (samples s SEMI JOIN series r ON s.cluster = r.cluster AND r.pod = 'api-1') "
    f"JOIN series r USING {KEYS}",
    "FROM (series s ANTI JOIN samples q "
    f"ON s.series_id = 4 AND s.cluster = q.cluster) JOIN series r USING {KEYS}",
]


@pytest.mark.parametrize("source", NULL_IS_WANTED + OTHERS_OF_THE_NAME)
def test_what_the_series_are_not_to_be_asked_for(lake, everything, source):
    sql = f"SELECT count(*) FROM ({source})" if source.startswith("WITH") else ""
    sql = sql or f"SELECT count(*) {source}"
    with connect(prepare(lake.snapshot(), sql).paths) as connection:
        assert connection.execute(sql).fetchall() == everything.execute(sql).fetchall()


@pytest.mark.parametrize(
    "source",
    [
        f"FROM series r LEFT JOIN samples s USING {KEYS} WHERE r.pod = 'api-1'",
        f"FROM series r LEFT JOIN samples s USING {KEYS} WHERE s.series_id = 1",
        f"FROM series r LEFT JOIN samples s USING {KEYS} WHERE NOT (r.pod <> 'api-1')",
        f"FROM samples s LEFT JOIN series r USING {KEYS} WHERE r.pod LIKE '%-1'",
        "FROM samples s LEFT JOIN events e ON s.time = e.time WHERE NOT (s.series_id <> 1)",
        "FROM metrics m LEFT JOIN events e ON m.time = e.time WHERE m.pod IS NULL",
        "FROM series r LEFT JOIN samples s ON s.series_id = r.series_id AND s.series_id = 1",
    ],
)
def test_what_they_are_asked_for_beside_an_outer_join(lake, everything, source):
    sql = f"SELECT count(*) {source}"
    assert opened(lake, sql) == (ASK_ABOVE + 8) // 4
    with connect(prepare(lake.snapshot(), sql).paths) as connection:
        assert connection.execute(sql).fetchall() == everything.execute(sql).fetchall()


COLUMNS = st.sampled_from(["s.metric", "s.series_id", "r.pod", "r.metric", "r.series_id"])
TESTS = st.sampled_from(
    [
        *("{0} IS NULL", "{0} IS NOT NULL", "{0} > '2'", "{0} <> '1'", "{0} BETWEEN '1' AND '2'"),
        *("{0} IS DISTINCT FROM '1'", "coalesce({0}, '1') = '1'", "{0} IN ('1', '3', NULL)"),
        "({0} = '1') IS NOT TRUE",
    ]
)
"""`about` writes the texts as those of the column."""

ATOMS = st.one_of(
    st.tuples(TESTS, COLUMNS).map(lambda each: about(*each)),
    st.sampled_from(["starts_with(s.metric, 'm1')", "s.value > 20", "true", "NULL"]),
)
WHERE = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda p: f"({' '.join(p)})"),
        inner.map(lambda one: f"NOT ({one})"),
    ),
    max_leaves=5,
)
SHAPES = [
    *(f"series r {kind} JOIN samples s USING {KEYS}" for kind in ("LEFT", "RIGHT", "FULL")),
    "samples s LEFT JOIN (FROM series WHERE pod = 'api-1') r USING (series_id)",
    "series r LEFT JOIN samples s ON s.series_id = r.series_id AND s.metric = 'm1'",
    "series r LEFT JOIN (FROM metrics WHERE pod IS NOT NULL) s USING (series_id) "
    "JOIN samples q USING (series_id)",
]


def about(test, column):
    prefix = {"metric": "m", "pod": "api-"}.get(column.partition(".")[2], "")
    return re.sub("'(.)'", rf"'{prefix}\1'", test).format(column)


@pytest.mark.parametrize("source", SHAPES)
@settings(max_examples=15, deadline=None)
@given(where=WHERE)
def test_no_filter_on_an_outer_join_changes_an_answer(lake, everything, source, where):
    sql = f"SELECT count(*), sum(s.series_id), sum(r.series_id) FROM {source} WHERE {where}"
    with connect(prepare(lake.snapshot(), sql).paths) as connection:
        assert connection.execute(sql).fetchall() == everything.execute(sql).fetchall()
