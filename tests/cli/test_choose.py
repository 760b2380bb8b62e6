import json
from datetime import UTC, datetime

import numpy as np
import pytest
import yaml

from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import identify
from lake import CommitKey, Lake
from orchestration.detection_settings import DetectionSettings

END = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTES = 720
# A window longer than what it learns from sees nothing: another is better.
SETTINGS = """\
detection:
  history: PT6H
  least_history: PT4H
  detectors:
    - {name: window_memory, parameters: {lengths: [480]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    times = round(END.timestamp() * 1000) - 60_000 * np.arange(MINUTES, 0, -1)
    labels = [
        {"__name__": name, "namespace": "shop", "pod": pod, "cluster": "c1"}
        for pod in "abcd"
        for name in ("cpu_usage", "memory_usage")
    ]
    values = 50.0 + rng.normal(size=(len(labels), MINUTES))
    folder = tmp_path_factory.mktemp("choose") / "data"
    catalogue = Catalogue()
    samples = direct.batch(
        catalogue,
        [identify(one.items(), "c1") for one in labels],
        [times] * len(labels),
        list(values),
    )
    direct.append(Lake.open(folder / "lake"), catalogue, samples, CommitKey("test", 1))
    return folder


@pytest.fixture
def choose(fleetlake, folder, tmp_path):
    (tmp_path / "fleetlake.yaml").write_text(SETTINGS)

    def run(*more):
        span = ("--since", "2026-11-23T00:00", "--until", "2026-11-23T12:00")
        quick = ("--detector", "window_memory", "--detector", "online_level")
        return fleetlake("choose", "--dir", folder, *span, *quick, *more)

    return run


def test_says_what_finds_faults_best_and_what_to_do(choose):
    done = choose("--metric", "cpu_usage")
    assert done.returncode == 0, done.stderr
    assert "What finds known faults best" in done.stdout
    assert "cpu_usage" in done.stdout
    assert "memory_usage" not in done.stdout
    assert "put this into fleetlake.yaml" in " ".join(done.stderr.split())
    pasted = yaml.safe_load("detection:" + done.stdout.partition("detection:")[2])
    assert DetectionSettings.model_validate(pasted["detection"]).detectors[0].metrics == "cpu_usage"


def test_for_scripts_and_into_a_file(choose, tmp_path):
    done = choose("--json", "--out", "choices.yaml", "--series", "3")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [one["family"] for one in told["families"]] == ["cpu_usage", "memory_usage"]
    first = told["families"][0]
    assert first["sampled"] == 3
    titles = [one["title"] for one in first["candidates"]]
    assert titles == ["window_memory lengths=480", "online_level"]
    assert set(first["regret_by_kind"]) >= {"spike", "level_shift", "ramp", "flatline", "variance"}
    written = (tmp_path / "choices.yaml").read_text()
    assert written == told["settings"]
    DetectionSettings.model_validate(yaml.safe_load(written)["detection"])


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (("--metric", "no_such_metric"), "no_such_metric"),
        (("--metric", "("), "no regular expression"),
        (("--detector", "window_memroy"), "window_memory"),
        (("--since", "2026-11-23T11:00"), "needed"),
        (("--out", "no/such/folder.yaml", "--metric", "cpu_usage"), "cannot be written"),
    ],
)
def test_refuses(choose, more, error):
    done = choose(*more)
    assert done.returncode == 2
    assert error in done.stderr
    assert "Traceback" not in done.stderr
