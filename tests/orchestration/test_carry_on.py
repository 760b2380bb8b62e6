"""Merging fresh intervals into held ones, by table: live, and for a day between its neighbours."""

from datetime import UTC, datetime, timedelta

import pytest

from lake import TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.carry_on import across, carry_on

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTINGS = DetectionSettings()  # intervals up to 30 minutes apart are one


def minute(number):
    return START + number * MINUTE


def row(start, end, **changes):
    plain = {
        "cluster": "c1",
        "anomaly_id": f"id-{start}",
        "series_id": 1,
        "metric": "up",
        "start": minute(start),
        "end": minute(end),
        "peak_time": minute(start),
        "score": 2.0,
        "p_value": 0.01,
        "detector": "window_memory",
        "model_version": "m1",
        "lake_version": 1,
        "state": "interim",
    }
    return plain | changes


def carried(lake, held, fresh, until, since=0):
    if held:
        lake.anomalies.append(anomaly_rows.table(held))
    between = TimeRange(minute(since), minute(until))
    out = carry_on(lake.snapshot(), fresh, between, 9, SETTINGS).rows
    return told(out)


def told(rows):
    return [
        (
            o["anomaly_id"],
            (o["start"] - START) // MINUTE,
            (o["end"] - START) // MINUTE,
            o["score"],
            o["state"],
        )
        for o in rows
    ]


MERGES = {
    "nothing": ([], [], 20, []),
    "a new one": ([], [row(5, 10)], 20, [("id-5", 5, 10, 2.0, "interim")]),
    "a new one that is over": (
        [],
        [row(5, 10, state="final")],
        50,
        [("id-5", 5, 10, 2.0, "final")],
    ),
    "grows under its id": (
        [row(5, 10)],
        [row(8, 15, anomaly_id="x")],
        20,
        [("id-5", 5, 15, 2.0, "interim")],
    ),
    "the higher peak counts": (
        [row(5, 10)],
        [row(8, 15, anomaly_id="x", score=3.0)],
        20,
        [("id-5", 5, 15, 3.0, "interim")],
    ),
    "the end never moves back": (
        [row(5, 10)],
        [row(5, 8, anomaly_id="x", score=3.0)],
        20,
        [("id-5", 5, 10, 3.0, "interim")],
    ),
    "nor does the start": (
        [row(5, 10)],
        [row(2, 15, anomaly_id="x")],
        20,
        [("id-5", 5, 15, 2.0, "interim")],
    ),
    "unchanged is not written": ([row(5, 10)], [row(5, 10)], 20, []),
    "lower within is not written": ([row(5, 10)], [row(6, 9, anomaly_id="x", score=1.1)], 20, []),
    "a gap of half an hour is bridged": (
        [row(5, 10)],
        [row(40, 45, anomaly_id="x")],
        50,
        [("id-5", 5, 45, 2.0, "interim")],
    ),
    "a longer one is not": (
        [row(5, 10)],
        [row(41, 45)],
        50,
        [("id-41", 41, 45, 2.0, "interim"), ("id-5", 5, 10, 2.0, "final")],
    ),
    "what nothing continues becomes final": (
        [row(5, 10)],
        [],
        41,
        [("id-5", 5, 10, 2.0, "final")],
    ),
    "but not before nothing can": ([row(5, 10)], [], 40, []),
    "what is final stays": ([row(5, 10, state="final")], [], 90, []),
    "its last columns seen again do not open it": (
        [row(5, 10, state="final")],
        [row(5, 10, anomaly_id="x", state="final")],
        60,
        [],
    ),
    "another series": (
        [row(5, 10)],
        [row(8, 15, series_id=2)],
        20,
        [("id-8", 8, 15, 2.0, "interim")],
    ),
    "another detector": (
        [row(5, 10)],
        [row(8, 15, detector="pyod.ECOD")],
        20,
        [("id-8", 8, 15, 2.0, "interim")],
    ),
    "another cluster": (
        [row(5, 10)],
        [row(8, 15, cluster="c2")],
        20,
        [("id-8", 8, 15, 2.0, "interim")],
    ),
    "the same entity": (
        [row(5, 10, series_id=None, node="n1", metric="a")],
        [row(8, 15, series_id=None, node="n1", metric="b", anomaly_id="x")],
        20,
        [("id-5", 5, 15, 2.0, "interim")],
    ),
    "another entity": (
        [row(5, 10, series_id=None, node="n1")],
        [row(8, 15, series_id=None, node="n2")],
        20,
        [("id-8", 8, 15, 2.0, "interim")],
    ),
    "an entity is none of its series": (
        [row(5, 10, node="n1")],
        [row(8, 15, series_id=None, node="n1")],
        20,
        [("id-8", 8, 15, 2.0, "interim")],
    ),
    "two fresh ones go on with one": (
        [row(0, 40)],
        [row(5, 8, anomaly_id="x"), row(39, 45, anomaly_id="y")],
        46,
        [("id-0", 0, 45, 2.0, "interim")],
    ),
    "what is over within it does not end it": (
        [row(0, 40)],
        [row(5, 8, anomaly_id="x", state="final", score=3.0)],
        46,
        [("id-0", 0, 40, 3.0, "interim")],
    ),
    "one that bridges two": (
        [row(0, 10, score=4.0), row(45, 50)],
        [row(8, 55, anomaly_id="x")],
        56,
        [("id-45", 45, 50, 2.0, "final"), ("id-0", 0, 55, 4.0, "interim")],
    ),
    "what was bridged stays so": (
        [row(0, 55, score=4.0), row(45, 50, state="final")],
        [row(8, 57, anomaly_id="x")],
        58,
        [("id-0", 0, 57, 4.0, "interim")],
    ),
    "two of one series each go on": (
        [row(0, 2), row(60, 65)],
        [row(1, 4, anomaly_id="x", state="final"), row(62, 70, anomaly_id="y")],
        70,
        [("id-0", 0, 4, 2.0, "final"), ("id-60", 60, 70, 2.0, "interim")],
    ),
}


@pytest.mark.parametrize(("held", "fresh", "until", "expected"), MERGES.values(), ids=MERGES)
def test_carry_on(lake, held, fresh, until, expected):
    assert carried(lake, held, fresh, until) == expected


def test_an_interval_from_before_midnight_goes_on(lake):
    held = [row(700, 719, anomaly_id="old")]
    fresh = [row(710, 730, anomaly_id="x")]
    (one,) = carried(lake, held, fresh, 735, since=710)
    assert one == ("old", 700, 730, 2.0, "interim")


def test_a_model_with_a_higher_peak_explains_it(lake):
    lake.anomalies.append(anomaly_rows.table([row(5, 10, actual=1.0)]))
    fresh = row(8, 15, score=5.0, actual=7.0, model_version="m2", lake_version=9)
    between = TimeRange(minute(0), minute(20))
    (one,) = carry_on(lake.snapshot(), [fresh], between, 9, SETTINGS).rows
    assert (one["actual"], one["model_version"], one["peak_time"]) == (7.0, "m2", minute(8))
    assert one["lake_version"] == 9


def test_a_row_made_final_without_a_new_sample_is_the_one_seen(lake):
    for state in ("interim", "final"):
        for number in range(20):
            one = row(5, 10, anomaly_id=str(number), series_id=number, state=state)
            lake.anomalies.append(anomaly_rows.table([one]))
    assert set(lake.sql("SELECT state FROM anomalies")["state"].to_pylist()) == {"final"}


DAYS = 24 * 60


def test_an_interval_of_many_days_keeps_its_id(lake):
    held = [row(-20 * DAYS, 10, anomaly_id="old")]
    (one,) = carried(lake, held, [row(8, 15, anomaly_id="x")], 20)
    assert one == ("old", -20 * DAYS, 15, 2.0, "interim")


@pytest.mark.parametrize(("open_days", "expected"), [(20, "old"), (1, "x")])
def test_no_further_back_than_the_oldest_open_one_is_looked(lake, open_days, expected):
    lake.anomalies.append(anomaly_rows.table([row(-20 * DAYS, 10, anomaly_id="old")]))
    between = TimeRange(minute(0), minute(20))
    fresh = [row(8, 15, anomaly_id="x")]
    since = minute(-open_days * DAYS)
    done = carry_on(lake.snapshot(), fresh, between, 9, SETTINGS, since)
    assert [one["anomaly_id"] for one in done.rows] == [expected]
    assert done.open_since == done.rows[0]["start"]


# The range is minutes 0 to 100; 110 were scored, half an hour ends an interval.
ACROSS = {
    "nothing held": ([], [row(5, 10)], [("id-5", 5, 10, 2.0, "interim")], []),
    "one that began before goes on": (
        [row(-40, 3, anomaly_id="old")],
        [row(0, 20, score=3.0)],
        [],
        [("old", -40, 20, 3.0, "interim")],
    ),
    "and on": (
        [row(-40, 3, anomaly_id="old")],
        [row(0, 20), row(45, 50, anomaly_id="x"), row(90, 95)],
        [("id-90", 90, 95, 2.0, "interim")],
        [("old", -40, 50, 2.0, "interim")],
    ),
    "what did is not written twice": (
        [row(-40, 20, anomaly_id="old")],
        [row(0, 20)],
        [],
        [],
    ),
    "one that ended long before does not": (
        [row(-40, -35, anomaly_id="old")],
        [row(0, 20)],
        [("id-0", 0, 20, 2.0, "interim")],
        [],
    ),
    "what lasts is as long as it was held": (
        [row(90, 300, anomaly_id="live")],
        [row(88, 110)],
        [("id-88", 88, 300, 2.0, "interim")],
        [],
    ),
    "what was over is not": (
        [row(50, 300, anomaly_id="live")],
        [row(50, 70)],
        [("id-50", 50, 70, 2.0, "interim")],
        [],
    ),
    "the next range's own stays its own": (
        [row(100, 300, anomaly_id="next")],
        [row(88, 110)],
        [("id-88", 88, 110, 2.0, "interim")],
        [],
    ),
}


@pytest.mark.parametrize(("held", "fresh", "own", "earlier"), ACROSS.values(), ids=ACROSS)
def test_across(lake, held, fresh, own, earlier):
    lake.anomalies.append(anomaly_rows.table(held))
    between = TimeRange(minute(0), minute(100))
    gap = 30 * MINUTE
    out = across(lake.snapshot(), fresh, between, minute(110), gap, minute(-100))
    assert tuple(map(told, out)) == (own, earlier)
