"""What a row says of an interval, and what names it."""

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np

from detectors import Panel, Scores
from detectors.abnormal_cells import abnormal_cells
from detectors.thresholds import Calibration
from lake import TimeRange
from lake.timerange import to_micros
from orchestration.detection_settings import DetectorSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.anomaly_rows import Grid, Subject
from orchestration.steps.panels import SeriesInfo

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHOSEN = DetectorSettings()
NAMES = ("namespace", "workload", "pod", "container", "node", "service", "job", "instance")


def minute(number):
    return START + number * MINUTE


def series(number, **entity):
    return SeriesInfo(number, "c1", f"m{number}", False, {n: entity.get(n) for n in NAMES})


def scored(values, score):
    panel = Panel(values, to_micros(START), 60_000_000, range(1, len(values) + 1))
    score = np.array(score, np.float32)
    bands = (np.full(score.shape, fill, np.float32) for fill in (2.0, 1.0, 3.0))
    return panel, Scores(score, 1 / (1 + score), *bands)


def found(panel, scores, known, subject, version="m", length=1, gap=0):
    rows = len(scores.score)
    one = np.ones(rows, np.float32)
    fit = Calibration(np.zeros((rows, 20)), np.zeros(rows), one, one, 1e-5)
    cells = abnormal_cells(scores, scores, scores, panel, fit)
    intervals, peaks = cells.intervals(length, gap)
    return list(
        anomaly_rows.found(cells, peaks, intervals, Grid.of(panel), known, subject, version)
    )


def test_found_gives_times_and_the_values_at_the_peak():
    panel, scores = scored([[2.0, 5.0, 9.0, 2.0, 2.0]], [[0.1, 1.5, 3.0, 0.2, 0.1]])
    known = {1: series(1, pod="p")}
    (one,) = found(panel, scores, known, None, length=2, gap=1)
    assert (one.start, one.end, one.peak_time) == (minute(1), minute(3), minute(2))
    assert (one.actual, one.expected, one.lower, one.upper) == (9.0, 2.0, 1.0, 3.0)
    assert one.score == 3.0
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
    known = {i: series(i, node="n1") for i in (1, 2, 3)}
    subject = Subject("c1", "node", "n1", None)
    (one,) = found(panel, scores, known, subject)
    assert one.series.metric == "m2"
    (made,) = anomaly_rows.rows([one], DetectorSettings(by="node"), 4, START)
    assert (made["series_id"], made["node"], made["metric"]) == (None, "n1", "m2")
    assert (made["actual"], made["direction"], made["namespace"]) == (140.0, None, None)


def test_an_entity_names_the_metric_that_its_detector_names():
    panel, scores = scored([[5.0, 5.0, 5.0], [1.0, 1.0, 9.0]], [[0.0, 0.0, 2.0]])
    scores = dataclasses.replace(scores, driver=np.array([[-1, -1, 0]], np.int32))
    known = {i: series(i, node="n1") for i in (1, 2)}
    subject = Subject("c1", "node", "n1", None)
    (one,) = found(panel, scores, known, subject)
    (made,) = anomaly_rows.rows([one], DetectorSettings(by="node"), 4, START)
    assert (made["metric"], made["actual"], made["expected"]) == ("m1", 5.0, 2.0)
    assert (made["lower"], made["upper"], made["direction"]) == (1.0, 3.0, "above")
    nobody = dataclasses.replace(scores, driver=np.full((1, 3), -1, np.int32))
    (one,) = found(panel, nobody, known, subject)
    assert (one.series, one.actual) == (None, None)


def test_an_id_names_thing_detector_and_start():
    panel, scores = scored([[2.0, 9.0], [2.0, 9.0]], [[0.0, 2.0], [0.0, 2.0]])
    known = {1: series(1), 2: series(2)}
    one, other = found(panel, scores, known, None)
    ids = {
        anomaly_rows.anomaly_id(one, "window_memory"),
        anomaly_rows.anomaly_id(other, "window_memory"),
        anomaly_rows.anomaly_id(one, "pyod.ECOD"),
    }
    assert len(ids) == 3
    (again, _) = found(panel, scores, known, None, "another model")
    assert anomaly_rows.anomaly_id(again, "window_memory") in ids


VERSIONS = [
    {},
    {"chosen": DetectorSettings(parameters={"memory": 64})},
    {"chosen": DetectorSettings(name="entity_memory", by="pod")},
    {"chosen": DetectorSettings(name="entity_memory", by="node")},
    {"trained": TimeRange(START, minute(9))},
    {"lake_version": 2},
    {"left_out": "x"},
]


def test_a_model_version_names_all_that_determines_it():
    plain = {"chosen": CHOSEN, "trained": TimeRange(START, minute(8)), "lake_version": 1}
    versions = [anomaly_rows.model_version(**(plain | changed)) for changed in VERSIONS]
    assert len(set(versions)) == len(VERSIONS)
    assert anomaly_rows.model_version(**plain) == versions[0]
