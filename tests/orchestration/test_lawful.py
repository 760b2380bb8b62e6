"""A detector that breaks a law is refused before it scores anything, wherever it is named."""

import sys
from datetime import timedelta

import pytest

from detectors.errors import InvalidParameterError, LawBrokenError, OwnDetectorError
from lake import TimeRange
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps import explain, lawful
from orchestration.steps.backtest import replay
from orchestration.steps.detect import detect_range
from orchestration.steps.detect_file import detect_file
from orchestration.steps.file_columns import Job
from orchestration.steps.lawful import require_lawful
from orchestration.steps.tick import Ticker

OWN = '''
import numpy as np

class Downward:
    """Higher is less abnormal."""
    def fit(self, points, y=None):
        self.mean = points.mean(axis=0)
    def decision_function(self, points):
        return -np.abs(points - self.mean).max(axis=1)
'''
BROKEN = "downward_detectors:Downward"


@pytest.fixture
def downward(tmp_path, monkeypatch):
    (tmp_path / "downward_detectors.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield DetectorSettings(name=BROKEN)
    sys.modules.pop("downward_detectors", None)


def refused():
    return pytest.raises(LawBrokenError, match=r"higher_is_more_abnormal.*a shift")


def test_a_ticker_refuses_it_at_start(lake, downward):
    with refused():
        Ticker(lake, DetectionSettings(detectors=(downward,)))


def test_so_do_a_range_a_backtest_and_a_file(filled, history, detection, downward, tmp_path):
    settings = detection.model_copy(update={"detectors": (downward,)})
    between = TimeRange(history.simulation.end - timedelta(hours=1), history.simulation.end)
    with refused():
        detect_range(filled, settings, between, now=between.end)
    with refused():
        replay(filled, detection, [downward], between)
    path = tmp_path / "in.csv"
    path.write_text("timestamp,value\n2026-11-23T00:00:00Z,1\n")
    with refused():
        detect_file(Job(path, detector=BROKEN))


def test_what_cannot_be_made_is_told_first(lake, downward):
    for name, parameters, error in (
        ("downward_detectors:Upward", {}, OwnDetectorError),
        ("pyod.KNN", {"n_neighbors": 5, "nonsense": 1}, InvalidParameterError),
    ):
        with pytest.raises(error):
            Ticker(
                lake,
                DetectionSettings(detectors=(DetectorSettings(name=name, parameters=parameters),)),
            )


def test_the_laws_are_tried_once_a_process(monkeypatch):
    tried = []
    monkeypatch.setattr(lawful, "try_laws", tried.append)
    chosen = DetectorSettings(name="pyod.ECOD", parameters={"window": 9})
    for _ in range(3):
        require_lawful(chosen)
    assert len(tried) == 1
    require_lawful(DetectorSettings(name="window_memory"))
    assert len(tried) == 1
    require_lawful(DetectorSettings(name="pyod.ECOD", parameters={"window": 10}))
    assert len(tried) == 2


def test_a_row_of_the_lake_imports_nothing(filled, history, detection, downward):
    """What a table says must not decide which module is imported."""
    series = filled.sql("SELECT series_id FROM series WHERE metric = 'up' LIMIT 1").to_pylist()[0]
    end = history.simulation.end
    row = {"detector": BROKEN, "start": end - timedelta(hours=1), "end": end} | series
    chart = explain.chart(filled, detection, row)
    assert chart.expected is None
    assert len(chart.times) > 10
    assert "downward_detectors" not in sys.modules
