"""Merging fresh intervals into held ones, by table, and what names a row."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors import Panel, Scores, find_intervals
from lake import TimeRange
from lake.timerange import to_micros
from orchestration.settings import DetectionSettings, DetectorSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.anomaly_rows import Subject
from orchestration.steps.panels import SeriesInfo

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTINGS = DetectionSettings()  # intervals up to 30 minutes apart are one
CHOSEN = DetectorSettings()
NAMES = ("namespace", "workload", "pod", "container", "node", "service", "job", "instance")


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
    out = anomaly_rows.carry_on(lake, fresh, between, 9, SETTINGS)
    return [
        (
            o["anomaly_id"],
            (o["start"] - START) // MINUTE,
            (o["end"] - START) // MINUTE,
            o["score"],
            o["state"],
        )
        for o in out
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
    (one,) = anomaly_rows.carry_on(lake, [fresh], TimeRange(minute(0), minute(20)), 9, SETTINGS)
    assert (one["actual"], one["model_version"], one["peak_time"]) == (7.0, "m2", minute(8))
    assert one["lake_version"] == 9


def test_a_row_made_final_without_a_new_sample_is_the_one_seen(lake):
    for state in ("interim", "final"):
        for number in range(20):
            one = row(5, 10, anomaly_id=str(number), series_id=number, state=state)
            lake.anomalies.append(anomaly_rows.table([one]))
    assert set(lake.sql("SELECT state FROM anomalies")["state"].to_pylist()) == {"final"}


def series(number, **entity):
    return SeriesInfo(number, "c1", f"m{number}", False, {n: entity.get(n) for n in NAMES})


def scored(values, score):
    panel = Panel(values, to_micros(START), 60_000_000, range(1, len(values) + 1))
    score = np.array(score, np.float32)
    bands = (np.full(score.shape, fill, np.float32) for fill in (2.0, 1.0, 3.0))
    return panel, Scores(score, 1 / (1 + score), *bands)


def test_found_gives_times_and_the_values_at_the_peak():
    panel, scores = scored([[2.0, 5.0, 9.0, 2.0, 2.0]], [[0.1, 1.5, 3.0, 0.2, 0.1]])
    intervals = find_intervals(scores, min_length=2, merge_gap=1)
    known = {1: series(1, pod="p")}
    (one,) = anomaly_rows.found(panel, scores, intervals, known, None, "m")
    assert (one.start, one.end, one.peak_time) == (minute(1), minute(3), minute(2))
    assert (one.actual, one.expected, one.lower, one.upper) == (9.0, 2.0, 1.0, 3.0)
    assert (one.score, one.open) == (3.0, False)
    (made,) = anomaly_rows.rows([one], CHOSEN, 4, minute(3))
    assert (made["state"], made["direction"], made["pod"]) == ("interim", "above", "p")
    (made,) = anomaly_rows.rows([one], CHOSEN, 4, minute(3) + timedelta(microseconds=1))
    assert made["state"] == "final"


def test_an_entity_names_the_metric_that_moved_most():
    quiet = [5.0, 5.1, 4.9, 5.0, 5.3]
    moved = [100.0, 101.0, 99.0, 100.0, 140.0]
    gone = [1.0, 1.0, 1.0, 1.0, np.nan]
    panel, _ = scored([quiet, moved, gone], [[0.0] * 5] * 3)
    scores = Scores(*(np.array([[0, 0, 0, 0, 2]], np.float32) for _ in range(2)))
    intervals = find_intervals(scores, min_length=1, merge_gap=0)
    known = {i: series(i, node="n1") for i in (1, 2, 3)}
    subject = Subject("c1", "node", "n1", None)
    (one,) = anomaly_rows.found(panel, scores, intervals, known, subject, "m")
    assert one.series.metric == "m2"
    (made,) = anomaly_rows.rows([one], DetectorSettings(by="node"), 4, START)
    assert (made["series_id"], made["node"], made["metric"]) == (None, "n1", "m2")
    assert (made["actual"], made["direction"], made["namespace"]) == (None, None, None)


def test_an_id_names_thing_detector_and_start():
    panel, scores = scored([[2.0, 9.0], [2.0, 9.0]], [[0.0, 2.0], [0.0, 2.0]])
    intervals = find_intervals(scores, min_length=1, merge_gap=0)
    known = {1: series(1), 2: series(2)}
    one, other = anomaly_rows.found(panel, scores, intervals, known, None, "m")
    ids = {
        anomaly_rows.anomaly_id(one, "window_memory"),
        anomaly_rows.anomaly_id(other, "window_memory"),
        anomaly_rows.anomaly_id(one, "pyod.ECOD"),
    }
    assert len(ids) == 3
    (again, _) = anomaly_rows.found(panel, scores, intervals, known, None, "another model")
    assert anomaly_rows.anomaly_id(again, "window_memory") in ids


VERSIONS = [
    {},
    {"chosen": DetectorSettings(parameters={"memory": 64})},
    {"chosen": DetectorSettings(name="entity_memory", by="pod")},
    {"chosen": DetectorSettings(name="entity_memory", by="node")},
    {"trained": TimeRange(START, minute(9))},
    {"lake_version": 2},
]


def test_a_model_version_names_all_that_determines_it():
    plain = {"chosen": CHOSEN, "trained": TimeRange(START, minute(8)), "lake_version": 1}
    versions = [anomaly_rows.model_version(**(plain | changed)) for changed in VERSIONS]
    assert len(set(versions)) == len(VERSIONS)
    assert anomaly_rows.model_version(**plain) == versions[0]


def test_columns_of_context_are_cut_off():
    _, scores = scored([[1.0, 2.0, 3.0]], [[0.1, 0.2, 0.3]])
    cut = anomaly_rows.from_column(scores, 1)
    assert cut.score[0].tolist() == pytest.approx([0.2, 0.3])
    assert cut.lower.shape == (1, 2)
    bare = anomaly_rows.from_column(Scores(scores.score, scores.p_value), 2)
    assert (bare.score.shape, bare.expected) == ((1, 1), None)
