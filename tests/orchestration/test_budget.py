from datetime import UTC, datetime, timedelta

import pytest

from detectors import build
from lake import Lake
from lake.timerange import TimeRange
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps import budget, models
from orchestration.steps.groups import Group
from orchestration.steps.panels import choose_series
from orchestration.steps.training import flagged

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
SERIES, NODES = DetectorSettings(), DetectorSettings(name="entity_memory", by="node")


def test_the_rates_of_a_day_add_up_to_the_budget():
    settings = DetectionSettings(false_alerts_a_day=6.0, detectors=(SERIES, NODES), also=())
    a_day = timedelta(days=1) / settings.step
    spent = budget.rate(settings, 5000) * 5000 * a_day + budget.rate(settings, 20) * 20 * a_day
    assert spent == pytest.approx(6.0)
    coarse = settings.model_copy(update={"step": timedelta(minutes=5)})
    assert budget.rate(coarse, 20) == pytest.approx(5 * budget.rate(settings, 20))
    assert budget.rate(settings, 0) == budget.rate(settings, 1)


def test_a_pod_more_does_not_move_every_threshold():
    settings = DetectionSettings()
    assert budget.rate(settings, 12_301) == budget.rate(settings, 12_999)
    assert budget.rate(settings, 12_301) <= 10.0 / (12_301 * 1440)


def test_a_detector_s_own_rate_is_never_raised_and_what_is_given_stays():
    own = build("window_memory")
    assert budget.within(own, SERIES, 1e-3) is own
    lowered = budget.within(own, SERIES, 1e-7)
    assert lowered.get_params() == own.get_params() | {"false_alarm_rate": 1e-7}
    given = DetectorSettings(parameters={"false_alarm_rate": 1e-4})
    assert budget.within(own, given, 1e-7) is own
    model = build("pyod.ECOD", window=8)
    assert budget.within(model, SERIES, 1e-7).get_params()["false_alarm_rate"] == 1e-7


def test_counts_what_each_detector_scores(filled_folder, detection):
    snapshot = Lake.open(filled_folder).snapshot()
    settings = detection.model_copy(update={"detectors": (SERIES, NODES)})
    series = choose_series(snapshot, settings, NOW)
    nodes = {(one.cluster, one.entity["node"]) for one in series if one.entity["node"]}
    wanted = [budget.rate(settings, number) for number in (len(series), len(nodes))]
    assert budget.rates(snapshot, settings, NOW) == wanted
    assert wanted[0] < wanted[1]


def test_what_has_come_since_does_not_count(filled_folder, detection):
    snapshot = Lake.open(filled_folder).snapshot()
    for until in (NOW, NOW - timedelta(days=2)):
        (found,) = budget.rates(snapshot, detection, until)
        assert budget.rate_of_series(snapshot, detection, until) == found
    assert found == budget.rate(detection, 1), "before the first sample there was no series"


def test_a_detector_is_not_asked_for_less_than_it_can(filled_folder):
    level = build("online_level")
    lowered = budget.within(level, SERIES, 1e-9)
    assert lowered.get_params()["false_alarm_rate"] == level.least_rate > 0.0


def test_a_small_budget_widens_the_bands_of_the_fleet(filled_folder, detection):
    snapshot = Lake.open(filled_folder).snapshot()
    (chosen,) = detection.detectors
    series = [one for one in choose_series(snapshot, detection, NOW) if one.metric == "node_load1"]
    known = flagged(snapshot, chosen, TimeRange(NOW - detection.history, NOW))
    fitted = {}
    for false_alerts in (1000.0, 0.01):
        settings = detection.model_copy(update={"false_alerts_a_day": false_alerts})
        rate = budget.rates(snapshot, settings, NOW)[0]
        block = [Group(None, series)]
        ((_, model),) = models.fit(snapshot, block, chosen, settings, NOW, known, rate)
        fitted[false_alerts] = model
    generous, small = fitted[1000.0], fitted[0.01]
    assert (small.detector.threshold_ > 1.2 * generous.detector.threshold_).all()
    assert small.version != generous.version
