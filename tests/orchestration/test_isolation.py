"""What a detector raises on is left out, counted and told; the rest is scored."""

import logging
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors import Detector, Panel
from detectors.errors import ModelFailedError, NoTrainingDataError
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps.isolation import MOST_SINGLE, Failures, fitted_parts, scored_parts
from orchestration.steps.tick import Ticker

MINUTE = 60_000_000
START = datetime(2026, 11, 23, tzinfo=UTC)
HOURS = 5

BRITTLE = '''
import numpy as np
from detectors.online import OnlineLevel

class Brittle(OnlineLevel):
    """Raises on a series that holds a certain value; in training, or when it is to be scored."""
    def _learn(self, panel):
        if (panel.values == 13.0).any():
            raise ZeroDivisionError("thirteen")
        return super()._learn(panel)
    def _decide(self, panel, rows):
        if (panel.values == 17.0).any():
            raise KeyError("seventeen")
        return super()._decide(panel, rows)

class Singular:
    """With PyOD's words."""
    def fit(self, points, y=None):
        if (points == points[0]).all():
            raise np.linalg.LinAlgError("singular matrix")
        self.mean = points.mean(axis=0)
    def decision_function(self, points):
        return np.abs(points - self.mean).max(axis=1)
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "brittle_detectors.py").write_text(BRITTLE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "brittle_detectors"
    sys.modules.pop("brittle_detectors", None)


class Picky(Detector):
    """Learns and scores anything but series of certain ids."""

    scope = "series"
    context = 0
    calls = 0

    def __init__(self, *bad, error=ZeroDivisionError):
        self.bad, self.error = bad, error

    def _learn(self, panel):
        type(self).calls += 1
        if np.isin(panel.series_id, self.bad).any():
            raise self.error("bad")

    _decide = _state = _restore = None


@pytest.fixture(autouse=True)
def counted():
    Picky.calls = 0


def panel(n):
    return Panel(np.zeros((n, 3)), 0, MINUTE, np.arange(n))


def parts(n, *bad, error=ZeroDivisionError, subject=None):
    failures = Failures()
    found = list(fitted_parts(lambda: Picky(*bad, error=error), panel(n), failures, "d", subject))
    return sorted(each for _, part in found for each in part.series_id.tolist()), failures


def test_the_one_bad_row_of_a_thousand_is_found_by_halving():
    learned, failures = parts(1000, 421)
    assert learned == [each for each in range(1000) if each != 421]
    assert list(failures.by_subject) == [("d", "421")]
    assert failures.first[0].why == "ZeroDivisionError: bad"
    assert Picky.calls <= 2 * 10 + 1


def test_where_all_raise_it_is_given_up_soon():
    learned, failures = parts(1000, *range(1000))
    assert learned == []
    assert failures.counts == {"d": 1000}
    assert len(failures.first) == 5
    assert Picky.calls < 4 * MOST_SINGLE + 20


def test_too_little_to_learn_from_is_no_failure():
    learned, failures = parts(4, 1, error=NoTrainingDataError)
    assert learned == []
    assert not failures.counts


@pytest.mark.parametrize(
    ("error", "subject"), [(lambda _: ModelFailedError("m", "w"), None), (KeyError, "pod p")]
)
def test_what_is_one_thing_fails_as_one(error, subject):
    learned, failures = parts(4, 1, error=error, subject=subject)
    assert learned == []
    assert len(failures.by_subject) == (1 if subject else 4)
    assert Picky.calls == 1


def test_each_failure_is_told_once(caplog):
    before, failures = Failures(), Failures()
    before.add("d", [1], "old")
    failures.add("d", [1, 2, 3], "new")
    with caplog.at_level(logging.WARNING):
        failures.log(but_not=before)
    (record,) = caplog.records
    assert record.subjects == ["2", "3"]
    assert "2 series or entities" in record.getMessage()
    caplog.clear()
    failures.log(but_not=failures)
    assert not caplog.records


@pytest.fixture
def settings():
    return DetectionSettings(
        delay=timedelta(0),
        history=timedelta(hours=4),
        least_history=timedelta(hours=3),
        include="m",
    )


@pytest.fixture
def thousand(lake, fill):
    """A thousand series with a fault in the last; two hold a value that is not borne."""
    rng = np.random.default_rng(0)
    minutes = np.arange(HOURS * 60)
    values = rng.normal(100.0, 5.0, (1000, minutes.size))
    values[7, 100] = 13.0
    values[8, 290] = 17.0
    values[999, 280:] += 100.0
    times = round(START.timestamp() * 1000) + minutes * 60_000
    labels = [{"__name__": "m", "pod": f"p{i}"} for i in range(1000)]
    fill(lake, labels, [times] * 1000, values)
    return lake


def test_a_detector_that_raises_costs_its_series_and_no_other(thousand, settings, own, caplog):
    chosen = DetectorSettings(name=f"{own}:Brittle")
    ticker = Ticker(thousand, settings.model_copy(update={"detectors": (chosen,)}))
    now = START + timedelta(hours=HOURS)
    with caplog.at_level(logging.WARNING, "orchestration.steps.isolation"):
        done = ticker.tick(now)
    assert done.failed == {f"{own}:Brittle": 2}
    assert {one.why for one in done.failures} == {
        "ZeroDivisionError: thirteen",
        "KeyError: 'seventeen'",
    }
    assert len(caplog.records) == 1
    assert caplog.records[0].failed == 2
    assert done.series == 999
    found = thousand.sql("SELECT pod FROM anomalies").to_pylist()
    assert {"pod": "p999"} in found
    # What fails again is counted again, but not told again.
    caplog.clear()
    again = ticker.tick(now + timedelta(minutes=1))
    assert again.failed == done.failed
    assert not caplog.records


def test_a_model_that_raises_on_singular_data_is_isolated(lake, fill, settings, own):
    rng = np.random.default_rng(0)
    minutes = np.arange(HOURS * 60)
    values = rng.normal(100.0, 5.0, (3, minutes.size))
    values[1] = 4.0
    values[2, 280:] += 100.0
    times = round(START.timestamp() * 1000) + minutes * 60_000
    fill(lake, [{"__name__": "m", "pod": f"p{i}"} for i in range(3)], [times] * 3, values)
    chosen = DetectorSettings(name=f"{own}:Singular")
    ticker = Ticker(lake, settings.model_copy(update={"detectors": (chosen,)}))
    done = ticker.tick(START + timedelta(hours=HOURS))
    assert done.failed == {f"{own}:Singular": 1}
    assert "LinAlgError: singular matrix" in done.failures[0].why
    assert lake.sql("SELECT pod FROM anomalies").to_pylist() == [{"pod": "p2"}]


def test_scoring_is_halved_too():
    class Half(Picky):
        def score(self, panel, newest):
            if 3 in panel.series_id:
                raise KeyError("three")
            return type("S", (), {"failures": {}})

    failures = Failures()
    found = list(scored_parts(Half(), panel(8), 1, failures, "d", None))
    assert sum(part.n_series for part, _ in found) == 7
    assert list(failures.by_subject) == [("d", "3")]
