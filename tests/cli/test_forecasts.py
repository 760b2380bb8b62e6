"""`fleetlake forecasts`: from a lake, in each of its forms, and what it says where it is empty."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import identify
from lake import CommitKey, Lake
from lake.schema import FORECASTS

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
GIB = 1024.0**3
SLOTS = 288
HOUR = timedelta(hours=1)


def disk(cluster, used, size=100 * GIB, **labels):
    """A filesystem's free and whole size, by the share that is used of it."""
    of = {"cluster": cluster, "instance": "node-7:9100", "device": "sda", "mountpoint": "/var"}
    return [
        (of | labels | {"__name__": "node_filesystem_avail_bytes"}, size * (1.0 - used)),
        (of | labels | {"__name__": "node_filesystem_size_bytes"}, np.full(SLOTS, size)),
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with a disk that fills, one that does not, one of unknown size."""
    folder = tmp_path_factory.mktemp("data")
    lake = Lake.open(folder / "lake")
    ahead = np.arange(1 - SLOTS, 1) / 12.0
    series = [
        *disk("eu", 0.78 + 0.01 * ahead + 2e-4 * np.sin(np.arange(SLOTS))),
        *disk("us", np.full(SLOTS, 0.2)),
        disk("us", np.full(SLOTS, 0.2), mountpoint="=cmd()")[0],
    ]
    last = round(NOW.timestamp() * 1000)
    times = last - 300_000 * np.arange(SLOTS, 0, -1, dtype=np.int64)
    catalogue = Catalogue()
    batch = direct.batch(
        catalogue,
        [identify(labels.items(), "eu") for labels, _ in series],
        [times] * len(series),
        [values for _, values in series],
    )
    direct.append(lake, catalogue, batch, CommitKey("test", 1))
    return folder


@pytest.fixture
def told(fleetlake, data):
    """Runs it, with the forecasts made."""

    def run(*arguments):
        done = fleetlake("forecasts", "--dir", data, "--make", *arguments)
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_nothing_was_made_yet(fleetlake, data):
    done = fleetlake("forecasts", "--dir", data)
    assert (done.returncode, done.stdout) == (0, "")
    assert "--make works them out now, a server makes them every 15 min" in done.stderr


def test_as_a_table(told):
    done = told()
    text = " ".join(done.stdout.replace("│", " ").split())
    assert "What fills within 4 h, soonest first" in text
    assert "`/var` on node-7:9100 of eu reaches 80 %" in text
    assert "of us" not in text
    assert "1 of 3 resources: next level reached within 4 h, by forecasts of" in done.stderr
    assert "1 cannot be told: no limit known (1); --abstained tells of which" in done.stderr


def test_the_curve_of_the_first_is_a_command_that_runs(told, fleetlake):
    (line,) = [line for line in told().stderr.splitlines() if line.startswith("the curve")]
    query = line.partition('"')[2].removesuffix('"')
    folder = line.partition("--dir ")[2].partition(" ")[0]
    done = fleetlake("sql", "--dir", folder, "--json", query)
    values = [row["value"] for row in json.loads(done.stdout)]
    assert values[0] < values[-1], "of what is free there is less now"


def test_what_cannot_be_told_is_told_when_asked_for(told):
    text = " ".join(told("--abstained").stdout.replace("│", " ").split())
    assert text.index("reaches 80 %") < text.index("no limit known")
    assert "it cannot be told when it reaches its limit" in text


def test_as_json(told):
    for form in (["--format", "json"], ["--json"]):
        (row,) = json.loads(told(*form).stdout)
        assert (row["cluster"], row["subject"], row["resource"]) == ("eu", "/var", "filesystem")
        assert NOW < datetime.fromisoformat(row["eta"]) < NOW + 4 * HOUR
        assert row["text"].startswith("`/var` on node-7:9100 of eu reaches 80 %")


@pytest.mark.parametrize(
    ("option", "value"), [("--cluster", "us"), ("--namespace", "shop"), ("--resource", "volume")]
)
def test_narrowed(told, option, value):
    assert json.loads(told("--json", option, value).stdout) == []
    assert json.loads(told("--json", "--cluster", "eu", "--resource", "filesystem").stdout) != []


def test_a_kind_that_is_not_known_is_refused_with_those_that_are(fleetlake, data):
    done = fleetlake("forecasts", "--dir", data, "--resource", "disk")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no kind of resource is called 'disk': there are certificate, " in done.stderr
    assert "filesystem, filesystem_inodes" in " ".join(done.stderr.split())


def test_where_nothing_fills_it_says_of_how_many(told):
    done = told("--cluster", "us")
    assert done.stdout == ""
    assert "none of 2 resources: next level reached within 4 h, nothing new since" in done.stderr
    assert "no forecast of what is asked for" in told("--cluster", "none").stderr


def test_as_csv_that_no_spreadsheet_takes_for_formulas(told):
    rows = list(csv.DictReader(io.StringIO(told("--format", "csv", "--abstained").stdout)))
    assert [row["subject"] for row in rows] == ["/var", "'=cmd()"]
    assert [*rows[0]] == [*FORECASTS.schema.names, "text"]
    assert datetime.fromisoformat(rows[0]["eta"]) > NOW


def test_more_than_is_looked_ahead_is_told_in_every_form(told):
    for form in ("table", "json", "csv"):
        done = told("--within", "12h", "--format", form)
        assert "foretold 4 h ahead, not 12 h (forecasts.horizon)" in done.stderr
        assert "not 12 h" not in told("--within", "2h", "--format", form).stderr


def test_by_default_it_looks_as_far_as_the_lake_does(told, fleetlake, tmp_path):
    row = dict.fromkeys(FORECASTS.schema.names) | {
        "cluster": "eu",
        "forecast_id": "far",
        "resource": "queue",
        "made_at": NOW,
        "eta": NOW + 9 * HOUR,
        "horizon_seconds": 12 * 3600.0,
        "abstained": False,
        "lake_version": 1,
    }
    lake = Lake.open(tmp_path / "data" / "lake")
    lake.forecasts.append(pl.DataFrame([row]).to_arrow().cast(FORECASTS.schema))
    done = fleetlake("forecasts", "--dir", tmp_path / "data", "--json")
    assert [one["forecast_id"] for one in json.loads(done.stdout)] == ["far"]


def test_what_is_full_comes_first_and_hides_nothing(fleetlake, tmp_path):
    row = dict.fromkeys(FORECASTS.schema.names) | {
        "cluster": "eu",
        "resource": "quota",
        "made_at": NOW,
        "horizon_seconds": 4 * 3600.0,
        "lake_version": 1,
        "threshold": 5.0,
        "capacity": 5.0,
        "value": 5.0,
    }
    full = {"abstained": True, "reason": "threshold already passed"}
    rows = [row | full | {"forecast_id": f"{n:02}", "subject": f"pods {n:02}"} for n in range(22)]
    rows[7]["eta_upper"] = NOW - 40 * HOUR
    rows += [row | {"forecast_id": "x", "subject": "x", "abstained": False, "eta": NOW + HOUR}]
    lake = Lake.open(tmp_path / "data" / "lake")
    table = pl.DataFrame(rows, infer_schema_length=None).to_arrow()
    lake.forecasts.append(table.cast(FORECASTS.schema))
    done = fleetlake("forecasts", "--dir", tmp_path / "data")
    text = " ".join(done.stdout.replace("│", " ").split())
    titles = ("What is past its last level", "What fills within 4 h")
    assert text.index(titles[0]) < text.index("quota `pods 07` of eu is past 100 % since")
    assert text.index("pods 07") < text.index("pods 00") < text.index(titles[1])
    assert text.index(titles[1]) < text.index("quota `x` of eu reaches 100 %")
    assert "2 more are past their last level: --format csv prints all" in done.stderr
    assert "1 of 23 resources: next level reached within 4 h" in done.stderr
    items = json.loads(fleetlake("forecasts", "--dir", tmp_path / "data", "--json").stdout)
    assert [len(items), items[0]["subject"], items[-1]["subject"]] == [23, "pods 07", "x"]


def test_many_are_cut_off_and_counted(fleetlake, tmp_path):
    row = dict.fromkeys(FORECASTS.schema.names) | {
        "cluster": "eu",
        "resource": "queue",
        "made_at": NOW,
        "eta": NOW + HOUR,
        "horizon_seconds": 4 * 3600.0,
        "abstained": False,
        "lake_version": 1,
    }
    rows = pl.DataFrame([row | {"forecast_id": f"{n:02}"} for n in range(53)])
    lake = Lake.open(tmp_path / "data" / "lake")
    lake.forecasts.append(rows.to_arrow().cast(FORECASTS.schema))
    done = fleetlake("forecasts", "--dir", tmp_path / "data")
    assert done.stdout.count("queue of eu") == 50
    assert "53 of 53 resources" in done.stderr
    assert "3 more rows: --format csv prints all" in done.stderr
    done = fleetlake("forecasts", "--dir", tmp_path / "data", "--format", "csv")
    assert len(done.stdout.splitlines()) == 1 + 53


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--within", "soon"], "'soon' is no duration"),
        (["--within", "0h"], "'0h' is no duration"),
        (["--dir", "nowhere"], "no lake in 'nowhere/lake'"),
        (["--format", "xml"], "xml"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(fleetlake, data, arguments, why):
    done = fleetlake("forecasts", "--dir", data, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert "Traceback" not in done.stderr
