"""What every detector says of series that are hard to judge, with and without their families."""

from dataclasses import replace

import numpy as np
import pytest

from detectors import Panel, build, find_intervals
from detectors.families import HARMLESS_SCORE, PRESETS, Limits, Lookup, gate

DAY, AT = 1440, 1440 + 300
MINUTE = 60_000_000
LOOKUP = Lookup(PRESETS)
DETECTORS = {
    "window_memory": {"lengths": (2, 32), "margin": 2.5, "false_alarm_rate": 1e-5},
    "online_level": {"false_alarm_rate": 1e-5},
    "entity_memory": {"false_alarm_rate": 1e-5},
}
READY = ("kube_node_status_condition", {"condition": "Ready", "status": "true"})
PRESSURE = ("kube_node_status_condition", {"condition": "DiskPressure", "status": "true"})
AVAILABLE = ("kube_deployment_status_replicas_available", {})
UNKNOWN = ("shop_things", {})


def noise(seed=1):
    return 100.0 + 5.0 * np.random.default_rng(seed).standard_normal(2 * DAY)


def moved(before, after, length=None):
    values = np.full(2 * DAY, float(before))
    values[AT : None if length is None else AT + length] = after
    return values


def without(values, *gaps):
    values = values.copy()
    for start, end in gaps:
        values[start:end] = np.nan
    return values


def bursts():
    rng = np.random.default_rng(2)
    values = np.zeros(2 * DAY)
    for hour in range(0, 48, 3):
        start = hour * 60 + rng.integers(0, 120)
        values[start : start + 10] = 5.0 + rng.uniform(0.0, 1.0, 10)
    return values


def judged(name, values, family, gated=True):
    """Scores of the second day, from the models of the first, and the intervals in them."""
    beside = 50.0 + 2.0 * np.random.default_rng(3).standard_normal(2 * DAY)
    rows = np.stack([values, beside]) if name == "entity_memory" else values[None]
    panel = Panel(rows, 0, MINUTE, np.arange(len(rows)))
    detector = build(name, **DETECTORS[name]).fit(panel.window(0, DAY * MINUTE))
    own = panel.window((DAY - detector.context) * MINUTE, panel.end)
    scores = detector.score(own)
    if gated:
        limits = Limits.of([family, LOOKUP.of("shop_other", {})][: len(rows)], panel.series_id)
        p_harmless = detector.calibration_of(own).p_values_at(HARMLESS_SCORE)
        scores = gate(scores, own, limits, p_harmless, hold=5)
    score = scores.score[:, detector.context :]
    cut = replace(
        scores,
        **{
            each: getattr(scores, each)[:, detector.context :]
            for each in ("score", "p_value", "expected", "lower", "upper")
        },
        driver=None,
    )
    return score, cut, find_intervals(cut, min_length=5, merge_gap=30)


TOLD = {
    "a node that is not ready": (READY, moved(1, 0)),
    "a node that is not ready for six minutes": (READY, moved(1, 0, 6)),
    "a condition that comes": (PRESSURE, moved(0, 1)),
    "a replica that is lost": (AVAILABLE, moved(3, 2)),
    "a device that is lost": (
        ("kube_node_status_allocatable", {"resource": "nvidia_com_gpu"}),
        moved(8, 7),
    ),
    "an error code": (("DCGM_FI_DEV_XID_ERRORS", {}), moved(0, 79)),
    "errors where there were none": (("shop_errors_total", {}), moved(0, 0.1, 30)),
    "a constant of no known kind": (UNKNOWN, moved(50, 60)),
}

HARMLESS = {
    "a condition that goes": (PRESSURE, moved(1, 0)),
    "a replica more": (AVAILABLE, moved(3, 4)),
    "one replica of many": (AVAILABLE, moved(20, 19)),
    "memory after a restart": (
        ("container_memory_working_set_bytes", {"container": "a"}),
        moved(5e8, 2e8) + 1e6 * noise(),
    ),
    "one violation more": (("gatekeeper_violations", {}), moved(50, 51)),
}

QUIET = {
    "a constant": (UNKNOWN, moved(50, 50)),
    "a constant zero": (UNKNOWN, moved(0, 0)),
    "whole numbers": (UNKNOWN, np.random.default_rng(1).integers(0, 3, 2 * DAY).astype(float)),
    "bursts": (UNKNOWN, bursts()),
    "a gap of ten minutes": (UNKNOWN, without(noise(), (AT, AT + 10))),
    "a gap of an hour": (UNKNOWN, without(noise(), (AT, AT + 60))),
    "every seventh column missing": (
        UNKNOWN, without(noise(), *((t, t + 1) for t in range(0, 2 * DAY, 7))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("case", TOLD)
def test_what_does_harm_is_told_once(name, case):
    metric, values = TOLD[case]
    _, _, intervals = judged(name, values, LOOKUP.of(*metric))
    assert len(intervals) == 1
    assert AT - DAY <= intervals.start[0] <= AT - DAY + 5


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("case", HARMLESS)
def test_what_does_no_harm_is_not_told(name, case):
    metric, values = HARMLESS[case]
    _, _, intervals = judged(name, values, LOOKUP.of(*metric))
    assert len(intervals) == 0


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("case", ["a replica more", "a condition that goes"])
def test_it_is_the_family_that_knows(name, case):
    metric, values = HARMLESS[case]
    _, _, intervals = judged(name, values, LOOKUP.of(*metric), gated=False)
    assert len(intervals) == 1


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("case", QUIET)
def test_what_is_as_ever_is_quiet_and_has_a_band(name, case):
    metric, values = QUIET[case]
    score, cut, intervals = judged(name, values, LOOKUP.of(*metric))
    assert len(intervals) == 0
    scored = np.isfinite(score)
    assert scored[:, -60:].any()
    for band in (cut.expected, cut.lower, cut.upper):
        assert np.isfinite(band[scored]).all()
