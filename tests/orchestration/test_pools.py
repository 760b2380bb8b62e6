"""One model for a metric: over clusters and blocks, and for series that have just begun."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lake import TimeRange
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps.detect import detect_range
from orchestration.steps.groups import groups
from orchestration.steps.panels import choose_series
from orchestration.steps.tick import Ticker

START = datetime(2026, 11, 23, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POOLED = DetectorSettings(name="pooled.ECOD", parameters={"train_size": 2000})


@pytest.fixture
def settings():
    return DetectionSettings(
        detectors=(POOLED,),
        delay=timedelta(0),
        history=timedelta(hours=6),
        least_history=timedelta(hours=5),
        refit_every=timedelta(hours=12),
        include="m|other",
    )


def put(fill, lake, rows, minutes, values):
    times = round(START.timestamp() * 1000) + minutes * 60_000
    labels = [{"__name__": "m", "pod": f"p{row}"} for row in rows]
    fill(lake, labels, [times] * len(rows), values)


@pytest.fixture
def family(lake, fill):
    """Thirty series of eight hours, in units of their own; the fault of one lies in the last."""
    rng = np.random.default_rng(0)
    minutes = np.arange(480)
    unit = 10.0 ** rng.uniform(-3, 6, (30, 1))
    values = unit * rng.normal(100.0, 5.0, (30, minutes.size))
    values[4, 440:470] *= 2.0
    put(fill, lake, range(30), minutes, values)
    return lake


def pods(lake):
    return {row["pod"] for row in lake.sql("SELECT pod FROM anomalies").to_pylist()}


@pytest.mark.parametrize("block", [5000, 7])
def test_a_family_is_one_model_whatever_the_blocks(family, settings, block, monkeypatch):
    fits = []
    from detectors.borrowed import PooledDetector  # noqa: PLC0415

    real = PooledDetector._fit_pool
    monkeypatch.setattr(
        PooledDetector,
        "_fit_pool",
        lambda self, values, ids: (fits.append(len(ids)), real(self, values, ids))[1],
    )
    small = settings.model_copy(update={"block_series": block})
    ticker = Ticker(family, small)
    fits.clear()
    ticker.tick(START + 480 * MINUTE)
    # Of a family that is larger than a block, an even sample is learned from.
    assert fits == [min(block, 30)]
    assert pods(family) == {"p4"}
    row = family.sql("SELECT * FROM anomalies").to_pylist()[0]
    assert row["detector"] == "pooled.ECOD"
    assert row["direction"] == "above"
    assert row["actual"] > row["expected"]


def test_a_new_series_is_scored_after_an_hour(family, fill, settings):
    """Others wait for `least_history`: five hours here."""
    ticker = Ticker(family, settings)
    assert ticker.tick(START + 420 * MINUTE).series == 30
    rng = np.random.default_rng(1)
    minutes = np.arange(400, 600)
    values = 7.0 * rng.normal(100.0, 5.0, (2, minutes.size))
    values[1, 160:190] *= 2.0
    put(fill, family, [30, 31], minutes, values)
    put(fill, family, range(30), np.arange(480, 600), rng.normal(100.0, 5.0, (30, 120)))
    counts = [ticker.tick(START + minute * MINUTE).series for minute in range(430, 600, 10)]
    assert counts[0] == 30
    assert counts[-1] == 32
    assert "p31" in pods(family)
    assert "p30" not in pods(family)


def test_a_day_is_not_scored_by_what_its_first_hour_taught(family, fill, settings):
    rng = np.random.default_rng(1)
    put(fill, family, [30], np.arange(350, 480), rng.normal(100.0, 5.0, (1, 130)))
    between = TimeRange(START + 420 * MINUTE, START + 480 * MINUTE)
    detect_range(family, settings, between, now=between.end + timedelta(hours=1))
    assert pods(family) == {"p4"}


def test_families_are_metrics_over_all_clusters(family, fill, settings):
    fill(family, [{"__name__": "other", "pod": "x"}], [[0]], [[1.0]])
    snapshot = family.snapshot()
    series = choose_series(snapshot, settings, START - timedelta(days=30_000))
    found = list(groups(series, POOLED, 12))
    assert [(group.pooled.metric, len(group.series)) for group in found] == [
        ("m", 12),
        ("m", 12),
        ("m", 6),
        ("other", 1),
    ]
    assert {len(group.pooled.sample) for group in found[:3]} == {12}
