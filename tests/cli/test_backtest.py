import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import identify
from lake import CommitKey, Lake

END = datetime(2026, 11, 23, 7, tzinfo=UTC)
HOURS = 8
SETTINGS = """\
detection:
  history: PT4H
  least_history: PT3H
  refit_every: PT2H
"""


@pytest.fixture
def folder(tmp_path):
    """Eight hours of three pods, one of which is loud from 6:00 to 6:20."""
    rng = np.random.default_rng(0)
    minutes = HOURS * 60
    times = round(END.timestamp() * 1000) - 60_000 * np.arange(minutes, 0, -1)
    names = ("cpu_usage", "memory_usage")
    labels = [
        {"__name__": name, "namespace": "shop", "pod": pod, "cluster": "c1"}
        for pod in ("a", "b", "c")
        for name in names
    ]
    values = 10.0 + rng.normal(size=(len(labels), minutes))
    values[0, 420:440] += 50.0
    lake = Lake.open(tmp_path / "data" / "lake")
    catalogue = Catalogue()
    samples = direct.batch(
        catalogue,
        [identify(one.items(), "c1") for one in labels],
        [times] * len(labels),
        list(values),
    )
    direct.append(lake, catalogue, samples, CommitKey("test", 1))
    (tmp_path / "fleetlake.yaml").write_text(SETTINGS)
    return tmp_path / "data"


def asked(folder, *more):
    since, until = END - timedelta(hours=2), END
    span = ("--since", f"{since:%Y-%m-%dT%H:%M}", "--until", f"{until:%Y-%m-%dT%H:%M}Z")
    return ("backtest", "--dir", folder, *span, *more)


def test_detectors_side_by_side(fleetlake, folder):
    both = ("--detector", "window_memory", "--detector", "entity_memory by pod")
    done = fleetlake(*asked(folder, *both, "--json"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    series, entities = told["detectors"]
    assert (series["detector"], entities["detector"]) == ("window_memory", "entity_memory by pod")
    assert series["series"] == entities["series"] == 6
    assert series["alerts"] >= 1
    assert series["alerts_a_day"] == 12 * series["alerts"]
    assert series["cpu_s_per_million_points"] > 0
    first, second = told["pairs"]
    assert (first["first"], first["second"]) == ("window_memory", "entity_memory by pod")
    assert first["both"] >= 1
    assert first["both"] + first["alone"] == series["alerts"]
    assert first["later_minutes"] == -second["later_minutes"]
    assert not list((folder / "lake" / "anomalies").rglob("*.parquet")), "the lake was changed"


def test_a_table_for_people(fleetlake, folder):
    done = fleetlake(*asked(folder, "--detector", "window_memory"))
    assert done.returncode == 0, done.stderr
    assert "What each would have raised, 2026-11-23 05:00 to 2026-11-23 07:00 UTC" in done.stdout
    assert "alerts_a_day" in done.stdout
    assert "raises, too" not in done.stdout, "there is nothing to compare with"


def test_says_why_nothing_was_scored(fleetlake, folder):
    early = ("--since", "2026-11-22T23:10", "--until", "2026-11-23T00:10")
    done = fleetlake("backtest", "--dir", folder, *early)
    assert done.returncode == 0, done.stderr
    assert "nothing was scored: warming up" in done.stderr


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (("--since", "yesterday"), "'yesterday' is no time"),
        (("--since", "²h"), "'²h' is no time"),
        (("--since", "99999999999d"), "is no time"),
        (("--since", "1h", "--detector", "window_memroy"), "window_memory"),
        (("--since", "1h", "--detector", "window_memory by shoe"), "shoe"),
        (("--since", "1h", "--until", "2h"), ""),
    ],
)
def test_refuses(fleetlake, folder, more, error):
    done = fleetlake("backtest", "--dir", folder, *more)
    assert done.returncode == 2
    assert error in done.stderr
    assert "Traceback" not in done.stderr
