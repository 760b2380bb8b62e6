import json
from datetime import UTC, datetime, timedelta

import pytest

from lake import Lake, TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.incidents.update import update

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def data(tmp_path):
    """A data folder with one incident, an hour ago."""
    lake = Lake.open(tmp_path / "data" / "lake")
    start = NOW - 60 * MINUTE
    row = {
        "cluster": "eu",
        "anomaly_id": "one",
        "metric": "http_errors",
        "namespace": "shop",
        "workload": "cart",
        "start": start,
        "end": start + 20 * MINUTE,
        "peak_time": start,
        "score": 6.0,
        "actual": 9.0,
        "expected": 1.0,
        "direction": "above",
        "detector": "window_memory",
        "model_version": "m1",
        "lake_version": 0,
        "state": "final",
    }
    lake.anomalies.append(anomaly_rows.table([row]))
    day = TimeRange(NOW - timedelta(hours=12), NOW)
    update(lake, DetectionSettings(), IncidentSettings(), day, NOW)
    return tmp_path / "data"


def test_incidents_are_listed_and_one_is_a_report(fleetlake, data):
    (row,) = json.loads(fleetlake("incident", "--dir", data, "--json").stdout)
    assert row["title"].startswith("shop/cart in eu: errors since ")
    shown = fleetlake("incident", "--dir", data)
    assert row["incident_id"][:8] in shown.stdout
    assert f"fleetlake incident {row['incident_id'][:8]}" in shown.stderr
    report = fleetlake("incident", row["incident_id"][:8], "--dir", data)
    assert report.stdout.startswith(f"# {row['title']}\n")
    whole = json.loads(fleetlake("incident", row["incident_id"], "--dir", data, "--json").stdout)
    assert [one["anomaly_id"] for one in whole["anomalies"]] == ["one"]


def test_where_there_is_none_it_says_how_to_look_further(fleetlake, data):
    done = fleetlake("incident", "--dir", data, "--since", "10m")
    assert done.returncode == 0
    assert "--since 7d looks back further" in done.stderr
    assert done.stdout == ""
    assert fleetlake("incident", "--dir", data, "--since", "10m", "--json").stdout == "[]\n"


def test_an_id_that_is_none_is_refused_in_a_line(fleetlake, data):
    done = fleetlake("incident", "ffffffff", "--dir", data)
    assert done.returncode == 2
    assert "no incident begins with the id 'ffffffff'" in done.stderr
    assert "Traceback" not in done.stderr
