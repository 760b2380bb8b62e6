"""`fleetlake advice`: from a lake, in each of its forms."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml
from rich.console import Console

from api.cli.advice import as_csv, table
from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import identify
from lake import CommitKey, Lake
from lake.schema import ADVICE

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
MIB = 1024.0**2
SLOTS = 3 * 288


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with one container that asks for too much, up to now."""
    folder = tmp_path_factory.mktemp("data")
    lake = Lake.open(folder / "lake")
    of = {"cluster": "eu", "namespace": "shop"}
    pod = of | {"pod": "cart-7c9d8f6b54-x2v9k", "container": "app"}
    metric = "kube_pod_container_resource_requests"
    request = {"__name__": metric, "resource": "cpu", "unit": "core"}
    kind = {"__name__": "kube_deployment_spec_replicas", "deployment": "cart"}
    series = [
        (pod | {"__name__": "container_cpu_usage_seconds_total"}, np.cumsum(np.full(SLOTS, 60.0))),
        (pod | request, np.full(SLOTS, 2.0)),
        (of | kind, np.ones(SLOTS)),
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
def advised(fleetlake, data):
    """Runs it, with the advice made."""

    def run(*arguments):
        done = fleetlake("advice", "--dir", data, "--make", *arguments)
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_nothing_was_made_yet(fleetlake, data):
    done = fleetlake("advice", "--dir", data)
    assert (done.returncode, done.stdout) == (0, "")
    assert "--make works it out now" in done.stderr


def test_as_a_table(advised):
    assert "request 2 cores → 0.2" in " ".join(advised().stdout.split())


def test_as_json(advised):
    (row,) = json.loads(advised("--format", "json").stdout)
    assert (row["kind"], row["workload_kind"]) == ("container_cpu", "Deployment")
    assert row["saving_cpu_cores"] == pytest.approx(1.8, abs=0.01)
    assert json.loads(advised("--format", "json", "--cluster", "us").stdout) == []


def test_as_csv(advised):
    (row,) = csv.DictReader(io.StringIO(advised("--format", "csv").stdout))
    assert json.loads(row["current"])["cpu_request_cores"] == 2.0
    assert datetime.fromisoformat(row["made_at"]) - NOW < timedelta(hours=1)


def test_as_a_patch(advised):
    done = advised("--format", "patch")
    (body,) = yaml.safe_load_all(done.stdout)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "app", "resources": {"requests": {"cpu": "200m"}}}
    assert "1 workloads, 0 pieces of advice left out" in done.stderr


def test_another_form_is_refused(fleetlake, data):
    assert fleetlake("advice", "--dir", data, "--format", "xml").returncode == 2


@pytest.mark.parametrize("name", ["\x1b]0;owned\x07cart", "\x1b[31mcart", "a\u202etrac"])
def test_a_name_cannot_steer_the_terminal(name):
    row = {"advice_id": "abcdef0123", "title": f"CPU of {name}", "current_risk": None}
    console = Console(file=io.StringIO(), width=80, force_terminal=True, no_color=True)
    console.print(table("Advice", [row | {"risk": None, "confidence": None}]))
    text = console.file.getvalue()
    assert name not in text
    assert "cart" in text or "trac" in text


@pytest.mark.parametrize("name", ["=1+1", "@SUM(1)", "\n=1+1", " =1+1"])
def test_a_name_is_no_formula(name):
    columns = dict.fromkeys(ADVICE.schema.names)
    text = as_csv([columns | {"workload": name}], ADVICE.schema.names)
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["workload"] == f"'{name}"
