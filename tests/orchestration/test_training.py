"""What models may learn: by table, and what that does to young series and to long incidents."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors import Panel
from lake import TimeRange
from lake.timerange import to_micros
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.anomaly_rows import Subject, thing_of_subject
from orchestration.steps.detect import detect_day, detect_range
from orchestration.steps.tick import Ticker
from orchestration.steps.training import Flagged, flagged, learnable

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
DETECTOR = DetectorSettings(parameters={"lengths": [2, 16], "margin": 2.0})
SETTINGS = DetectionSettings(
    detectors=(DETECTOR,),
    delay=timedelta(0),
    history=5 * HOUR,
    least_history=4 * HOUR,
    refit_every=HOUR,
    merge_gap=20,
)


def panel(*rows):
    return Panel(np.array(rows, np.float32), 0, 60_000_000, range(1, len(rows) + 1))


def known(*spans, of=1):
    minutes = 60_000_000
    return Flagged({of: [(low * minutes, high * minutes) for low, high in spans]}, "x")


def gone(panel, *given, least=timedelta(0)):
    """Columns of each row that are not learned."""
    out = learnable(panel, range(1, panel.n_series + 1), *given, least)
    return [np.flatnonzero(np.isnan(row)).tolist() for row in out.values]


FLAT = [1.0] * 60
NOTHING = Flagged({}, "")

STRETCHES = {
    "nothing": (NOTHING, []),
    "one": (known((3, 6)), [3, 4, 5]),
    "two that overlap": (known((3, 6), (5, 8)), [3, 4, 5, 6, 7]),
    "from before": (known((-9, 2)), [0, 1]),
    "to after": (known((58, 90)), [58, 59]),
    "part of a column": (Flagged({1: [(90_000_000, 150_000_000)]}, "x"), [1, 2]),
    "half": (known((30, 60)), list(range(30, 60))),
    "over half is learned": (known((29, 60)), []),
    "all is learned": (known((-9, 90)), []),
    "another thing": (known((3, 6), of=7), []),
}


@pytest.mark.parametrize(("given", "expected"), STRETCHES.values(), ids=STRETCHES)
def test_flagged_stretches_are_not_learned(given, expected):
    assert gone(panel(FLAT, FLAT), given) == [expected, []]


def test_half_is_of_what_a_series_has():
    assert gone(panel([1.0] * 8 + [np.nan] * 52), known((0, 5)))[0] == list(range(8, 60))


@pytest.mark.parametrize(("minutes", "young"), [(19, True), (20, False), (40, False)])
def test_a_young_series_is_not_learned(minutes, young):
    least = 30 * MINUTE  # two scrapes may lie ten minutes short of it
    row = [np.nan] * (60 - minutes) + [1.0] * minutes
    (first, _) = gone(panel(row, FLAT), NOTHING, least=least)
    assert (len(first) == 60) is young


def test_holes_and_slow_scrapes_do_not_make_a_series_young():
    slow = [1.0 if column % 5 == 4 else np.nan for column in range(60)]
    whole = panel(slow, [1.0] + [np.nan] * 58 + [1.0])
    assert learnable(whole, [1, 2], NOTHING, 60 * MINUTE) is whole


def test_what_is_flagged_is_read_by_thing(lake):
    plain = {
        "cluster": "c1",
        "metric": "up",
        "peak_time": MIDNIGHT,
        "score": 2.0,
        "detector": "window_memory",
        "model_version": "m",
        "lake_version": 1,
        "state": "final",
    }

    def held(number, start, end, **changes):
        span = {"start": MIDNIGHT + start * HOUR, "end": MIDNIGHT + end * HOUR}
        lake.anomalies.append(
            anomaly_rows.table([plain | span | {"anomaly_id": str(number)} | changes])
        )

    held(1, 1, 2, series_id=1)
    held(2, -400, 1, series_id=2)
    held(3, 4, 9, series_id=3)
    held(4, -2, 0, series_id=4)
    held(5, 5, 6, series_id=5)
    held(6, 1, 2, series_id=6, detector="other")
    held(7, 1, 2, node="n1")
    out = flagged(lake.snapshot(), DETECTOR, TimeRange(MIDNIGHT, MIDNIGHT + 5 * HOUR))
    at = [to_micros(MIDNIGHT + hour * HOUR) for hour in range(6)]
    label = "window_memory"
    assert out.stretches == {
        ("c1", label, 1): [(at[1], at[2])],
        ("c1", label, 2): [(at[0], at[1])],
        ("c1", label, 3): [(at[4], at[5])],
        thing_of_subject(Subject("c1", "node", "n1", None), label): [(at[1], at[2])],
    }
    assert out.digest


def noise(fill, lake, start, hours, *, names, odd=None, ramp=0.0, cluster="c1"):
    """Noisy series of a minute; 5 higher within `odd`, growing by `ramp` a minute."""
    rng = np.random.default_rng(5)
    times = to_micros(start) // 1000 + np.arange(round(hours * 60)) * 60_000
    values = []
    for _ in names:
        own = 10 + rng.normal(size=times.size) * 0.2 + ramp * np.arange(times.size)
        if odd:
            low, high = (to_micros(moment) // 1000 for moment in odd)
            own += 5.0 * ((times >= low) & (times < high))
        values.append(own)
    labels = [{"__name__": "load", "cluster": cluster, "pod": name} for name in names]
    fill(lake, labels, [times] * len(names), values)


def seen(lake):
    rows = lake.sql("SELECT * EXCLUDE (lake_version) FROM anomalies ORDER BY start, anomaly_id")
    return rows.to_pylist()


def test_a_young_cluster_beside_an_old_one_is_not_scored(lake, fill):
    end = MIDNIGHT + 6 * HOUR
    noise(fill, lake, MIDNIGHT, 6, names=["old"])
    young = [f"young-{number}" for number in range(20)]
    noise(fill, lake, end - 100 * MINUTE, 5 / 3, names=young, ramp=0.05, cluster="c2")
    between = TimeRange(end - HOUR, end)
    hasty = SETTINGS.model_copy(update={"least_history": timedelta(0)})
    detect_range(lake, hasty, between, now=end)
    assert len({row["series_id"] for row in seen(lake)}) > 15
    detect_range(lake, SETTINGS, between, now=end)
    assert seen(lake) == []
    Ticker(lake, SETTINGS).tick(end)
    assert seen(lake) == []


def test_an_entity_is_not_judged_by_its_young_series(lake, fill):
    end = MIDNIGHT + 6 * HOUR
    noise(fill, lake, MIDNIGHT, 6, names=["p"])
    times = to_micros(end - 100 * MINUTE) // 1000 + np.arange(100) * 60_000
    for name in "ab":
        fill(lake, [{"__name__": name, "pod": "p"}], [times], [np.arange(100.0)])
    by_pod = (DetectorSettings(name="entity_memory", by="pod"),)
    settings = SETTINGS.model_copy(update={"detectors": by_pod})
    between = TimeRange(end - HOUR, end)
    assert detect_range(lake, settings, between, now=end).anomalies == 0
    hasty = settings.model_copy(update={"least_history": timedelta(0)})
    assert detect_range(lake, hasty, between, now=end).anomalies > 0


def ticked(lake, settings, since, until, ticker=None):
    ticker = ticker or Ticker(lake, settings)
    now = since
    while now < until:
        now += 10 * MINUTE
        ticker.tick(now)
    return ticker


def test_an_incident_outlives_refits_and_a_restart(lake, fill):
    begins = MIDNIGHT + 6 * HOUR
    noise(fill, lake, MIDNIGHT, 9, names=["p"], odd=(begins, begins + 5 * HOUR))
    ticked(lake, SETTINGS, begins - 20 * MINUTE, begins + HOUR)
    ticked(lake, SETTINGS, begins + HOUR, begins + 130 * MINUTE)
    (one,) = seen(lake)
    assert abs(one["start"] - begins) <= 2 * MINUTE
    assert (one["state"], one["end"]) == ("interim", begins + 130 * MINUTE)


def test_a_level_that_stays_is_learned_in_the_end(lake, fill):
    begins = MIDNIGHT + 6 * HOUR
    noise(fill, lake, MIDNIGHT, 12, names=["p"], odd=(begins, begins + 50 * HOUR))
    ticked(lake, SETTINGS, begins - 20 * MINUTE, begins + 5 * HOUR)
    (one,) = seen(lake)
    assert one["state"] == "final"
    # Half of the history, and until the next refit.
    assert begins + 2 * HOUR < one["end"] <= begins + 4 * HOUR


@pytest.mark.parametrize("ends", [30 * MINUTE, 150 * MINUTE])
def test_an_incident_over_midnight_is_one_anomaly(lake, fill, ends):
    odd = (MIDNIGHT - 30 * MINUTE, MIDNIGHT + ends)
    noise(fill, lake, MIDNIGHT - 30 * HOUR, 36, names=["p", "q"], odd=odd)
    now = MIDNIGHT + 40 * HOUR
    days = [(MIDNIGHT - HOUR).date(), MIDNIGHT.date()]
    detect_day(lake, SETTINGS, days[0], now=now)
    first = seen(lake)
    detect_day(lake, SETTINGS, days[0], now=now)
    assert seen(lake) == first
    detect_day(lake, SETTINGS, days[1], now=now)
    both = seen(lake)
    assert len(both) == 2
    for row, before in zip(both, first, strict=True):
        assert row["anomaly_id"] == before["anomaly_id"]
        assert abs(row["start"] - odd[0]) <= 2 * MINUTE
        # A window remembers for its own length.
        assert odd[1] - MINUTE <= row["end"] <= odd[1] + 17 * MINUTE
    for again in (days[1], days[0], days[0], days[1], days[1]):
        detect_day(lake, SETTINGS, again, now=now)
        assert seen(lake) == both


def test_a_day_alone_has_its_incidents_true_end(lake, fill):
    odd = (MIDNIGHT - 30 * MINUTE, MIDNIGHT + 5 * MINUTE)
    noise(fill, lake, MIDNIGHT - 30 * HOUR, 36, names=["p"], odd=odd)
    now = MIDNIGHT + 40 * HOUR
    detect_day(lake, SETTINGS, (MIDNIGHT - HOUR).date(), now=now)
    (row,) = seen(lake)
    assert odd[1] - MINUTE <= row["end"] <= odd[1] + 17 * MINUTE


def test_scoring_a_day_again_keeps_what_was_seen_live_after_it(lake, fill):
    odd = (MIDNIGHT - 30 * MINUTE, MIDNIGHT + 2 * HOUR)
    noise(fill, lake, MIDNIGHT - 30 * HOUR, 36, names=["p"], odd=odd)
    ticked(lake, SETTINGS, odd[0] - HOUR, odd[1] + HOUR)
    (live,) = seen(lake)
    detect_day(lake, SETTINGS, (MIDNIGHT - HOUR).date(), now=MIDNIGHT + 40 * HOUR)
    (row,) = seen(lake)
    assert (row["end"], row["state"]) == (live["end"], "final")
    assert live["end"] >= odd[1]
