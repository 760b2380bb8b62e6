"""Questions to the table `series` only leave files out: they fail, and tell, nobody."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lake import Lake, Limits, series_index
from lake.errors import FileDamagedError
from lake.prepare import ASK_ABOVE, prepare
from lake.pruning.entities import Known
from lake.schema import SERIES, TIMESTAMP
from tests.patience import PATIENCE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = ASK_ABOVE + 8


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """On a busy machine a question may take longer than it is worth."""
    monkeypatch.setattr(series_index, "MOST_SECONDS", PATIENCE)


@pytest.fixture
def days(tmp_path) -> Lake:
    """A file a day; metric `up` of cluster eu all days, `old` of us on the first one only."""
    lake = Lake.open(tmp_path / "lake")
    rows = [
        {"cluster": cluster, "metric": metric, "series_id": i, "pod": f"pod-{i}",
         "labels": [("pod", f"pod-{i}")], "first_seen": NOON, "last_seen": NOON + days}
        for i, (cluster, metric, days) in enumerate(
            [("eu", "up", timedelta(DAYS)), ("us", "old", timedelta(0))]
        )
    ]  # fmt: skip
    columns = [pa.array([row.get(f.name) for row in rows], f.type) for f in SERIES.schema]
    lake.series.append(pa.table(columns, schema=SERIES.schema))
    for day in range(DAYS):
        of_day = rows if day == 0 else rows[:1]
        lake.samples.append(
            pa.table(
                {
                    **{name: [row[name] for row in of_day] for name in ("cluster", "metric")},
                    "series_id": [row["series_id"] for row in of_day],
                    "time": pa.array([NOON + timedelta(day)] * len(of_day), TIMESTAMP),
                    "value": [float(day)] * len(of_day),
                }
            )
        )
    return lake


OLD = "SELECT count(*) AS n FROM metrics WHERE pod = 'pod-1'"


def files(lake: Lake, sql: str, **options) -> int:
    return len(prepare(lake.snapshot(), sql, **options).paths["samples"])


def test_an_answer_leaves_files_out(days):
    assert files(days, OLD) == 1
    assert days.sql(OLD)["n"].to_pylist() == [1]


@pytest.mark.parametrize("where", ["metric = 'up'", "series_id = 0"])
def test_it_may_be_asked_of_a_table_in_another_past(days, where):
    sql = f"SELECT count(*) AS n FROM samples AT (VERSION => {DAYS - 2}) WHERE {where}"
    assert days.sql(sql)["n"].to_pylist() == [DAYS - 2]
    assert days.query_guarded(sql, Limits()).rows["n"].to_pylist() == [DAYS - 2]


def test_without_the_table_samples_are_read_all_the_same(days):
    (file,) = days.series.files()[1]
    Path(file.path).unlink()
    sql = "SELECT count(*) AS n FROM samples WHERE metric = 'up'"
    assert days.sql(sql)["n"].to_pylist() == [DAYS]
    with pytest.raises(FileDamagedError):
        days.sql(OLD)


def test_a_long_question_is_given_up(days, monkeypatch):
    monkeypatch.setattr(series_index, "_answer", slow := Slow(series_index._answer))
    monkeypatch.setattr(series_index, "MOST_SECONDS", 0.05)
    assert files(days, OLD) == DAYS
    assert slow.asked == 1
    assert days.sql(OLD)["n"].to_pylist() == [1]


class Slow:
    """The same, after a question that takes a minute."""

    def __init__(self, answer):
        self.answer, self.asked = answer, 0

    def __call__(self, connection, question):
        self.asked += 1
        _, params = question
        endless = "SELECT count(*) FROM range(100000000000) t(i) WHERE i % 7 = 0"
        return self.answer(connection, (endless, params))


def test_it_is_asked_of_the_callers_clusters(days):
    snapshot = days.snapshot()
    found = prepare(snapshot, OLD, clusters=["eu"]).paths["samples"]
    # No file has a series of this pod for them, and nothing says that one has for others.
    assert found == []
    asked = [key for key in days._index._answers if key[2] == ("eu",)]
    assert len(asked) == 1
    answer = days._index._answers[asked[0]]
    assert isinstance(answer, Known)
    assert not any(answer.admits(file) for file in days.samples.files()[1])
