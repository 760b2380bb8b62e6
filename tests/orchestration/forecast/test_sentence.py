"""What a forecast says in a sentence, as of when it was made and as of later."""

from datetime import timedelta

import pytest

from orchestration.steps.forecast.sentence import sentence

MINUTE = timedelta(minutes=1)
ABOUT = "`/var` on node-7 of eu-1 reaches 80 %"


def row(now, lower, eta, upper, **more):
    """A forecast made now, its times in minutes."""
    times = zip(("eta_lower", "eta", "eta_upper"), (lower, eta, upper), strict=True)
    return {
        "resource": "filesystem",
        "subject": "/var",
        "node": "node-7",
        "cluster": "eu-1",
        "capacity": 100.0,
        "threshold": 80.0,
        "coverage": 0.79,
        "abstained": False,
        "reason": None,
        "method": "sawtooth",
        "made_at": now,
        **{name: None if ahead is None else now + ahead * MINUTE for name, ahead in times},
        **more,
    }


LATER = {
    "as it was made": (0, f"{ABOUT} in 2.0 h (1.0–3.0 h; past 80 % intervals held 79 %)"),
    "half an hour later": (30, f"{ABOUT} in 1.5 h (0.5–2.5 h; past 80 % intervals held 79 %)"),
    "in its interval": (75, f"{ABOUT} in 45 min (0.0–105 min; past 80 % intervals held 79 %)"),
    "due": (120, f"{ABOUT} any moment now (0.0–60 min; past 80 % intervals held 79 %)"),
    "overdue": (170, f"{ABOUT} any moment now (0.0–10 min; past 80 % intervals held 79 %)"),
}


@pytest.mark.parametrize("name", LATER)
def test_it_counts_from_the_time_of_the_reader(now, name):
    minutes, text = LATER[name]
    assert sentence(row(now, 60, 120, 180), now + minutes * MINUTE) == text


def test_by_default_it_counts_from_when_it_was_made(now):
    assert sentence(row(now, 60, 120, 180)) == LATER["as it was made"][1]


def test_a_heavier_model_is_named(now):
    told = row(now, 60, 120, 180, method="statsforecast", coverage=None)
    kept = "too few past intervals to say how many held"
    assert sentence(told) == f"{ABOUT} in 2.0 h (by statsforecast, 1.0–3.0 h; {kept})"


def test_an_interval_that_has_no_end(now):
    told = row(now, 60, 120, None, coverage=None)
    kept = "too few past intervals to say how many held"
    assert sentence(told, now) == f"{ABOUT} in 2.0 h (not before 1.0 h; {kept})"
    assert sentence(row(now, None, 120, None, coverage=None)).endswith(f"(no interval; {kept})")
