"""What is told of a detector's cells: thresholds come down where much of a cluster is abnormal."""

import numpy as np
import pytest

from detectors import Panel, Scores
from detectors.abnormal_cells import abnormal_cells, at_most
from detectors.thresholds import calibrate
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import discoveries
from orchestration.steps.anomaly_rows import Grid, Subject
from orchestration.steps.discoveries import Looked, clusters_of, most, told
from orchestration.steps.groups import Group
from orchestration.steps.panels import SeriesInfo

RATE = 1e-5
EACH = 400
SETTINGS = DetectionSettings(min_length=1, merge_gap=0)
# Columns: in 1 a third of east is abnormal, in 3 two rows of both clusters are nearly so.
N_TIMES = 5
WEAK = 3
"""The row of either cluster that is short of its threshold in both columns."""


@pytest.fixture(scope="module")
def fleet():
    """Four hundred series of each of two clusters, and their scores: (series, score, fit)."""
    infos = [
        SeriesInfo(number, "east" if number < EACH else "west", "m", False, {})
        for number in range(2 * EACH)
    ]
    rng = np.random.default_rng(0)
    fit = calibrate(rng.exponential(size=(2 * EACH, 2000)).astype("f4"), RATE)
    score = np.full((2 * EACH, N_TIMES), 0.2, np.float32)
    score[20:150, 1] = 1.5
    for row in (WEAK, EACH + WEAK):
        score[row, [1, 3]] = 0.75
    return infos, score, fit


def found(fleet, size=2 * EACH, relieved=True):
    """What is told, in blocks of so many series: (series, column) pairs."""
    infos, score, fit = fleet
    groups = [Group(None, infos[at : at + size]) for at in range(0, len(infos), size)]
    count = discoveries.tested(groups)
    looked = []
    for group in groups:
        ids = group.ids
        panel = Panel(np.ones((len(ids), N_TIMES)), 0, 60_000_000, ids)
        own = fit.take(ids)
        decision = score[ids] * own.threshold[:, None]
        scores = Scores(score[ids], own.p_values(decision))
        clusters = clusters_of(group, ids)
        loudest = at_most(scores, own, most(clusters, count))
        cells = abnormal_cells(scores, scores, loudest, panel, own)
        looked.append(Looked(group, "v", Grid.of(panel), clusters, cells))
    return [
        (one.series.series_id, int(one.start.timestamp()) // 60, one.score)
        for one in told(looked, count if relieved else None, SETTINGS)
    ]


def test_weaker_signs_are_told_where_much_is_abnormal(fleet):
    assert {(series, column) for series, column, _ in found(fleet)} == {
        (series, 1) for series in [WEAK, *range(20, 150)]
    }


def test_clusters_are_judged_apart(fleet):
    infos, score, fit = fleet
    alone = fit.take(np.arange(EACH))
    assert found((infos[:EACH], score[:EACH], alone)) == found(fleet)


def test_without_a_count_thresholds_stay(fleet):
    stays = found(fleet, relieved=False)
    assert {series for series, _, _ in stays} == set(range(20, 150))
    assert {score for _, _, score in stays} == {1.5}


@pytest.mark.parametrize("size", [7, 100, 399])
def test_blocks_change_nothing(fleet, size):
    assert found(fleet, size) == found(fleet)


def test_an_entity_is_one_row():
    infos = [SeriesInfo(number, "east", "m", False, {}) for number in range(9)]
    by_node = Group(Subject("east", "node", "n1", None), infos)
    assert discoveries.tested([by_node, Group(None, infos)]) == {"east": 10}
    assert clusters_of(by_node, by_node.ids) == ["east"]
