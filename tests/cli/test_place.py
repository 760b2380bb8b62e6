"""`fleetlake place`: a job is placed from the terminal."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import identify
from lake import CommitKey, Lake

QUEUE = {"__name__": "", "cluster": "eu-1", "queue_name": "training", "resource": "nvidia.com/gpu"}


@pytest.fixture
def data(tmp_path):
    """A folder with a queue of Volcano's that has six of eight GPUs free."""
    lake = Lake.open(tmp_path / "data" / "lake")
    now = datetime.now(UTC).timestamp() * 1000
    times = np.int64(now) - 60_000 * np.arange(1440, 0, -1)
    labels = [
        QUEUE | {"__name__": f"volcano_queue_{what}_scalar_resources"}
        for what in ("allocated", "capacity")
    ]
    catalogue = Catalogue()
    samples = direct.batch(
        catalogue,
        [identify(one.items()) for one in labels],
        [times] * 2,
        [np.full(1440, 2000.0), np.full(1440, 8000.0)],
    )
    direct.append(lake, catalogue, samples, CommitKey("test", 1))
    return tmp_path / "data"


def test_a_job_is_placed(fleetlake, data):
    job = ("place", "--dir", data, "--gpus", 4, "--hours", 6, "--deadline", "12h")
    shown = fleetlake(*job, "--dataset", "none")
    assert "eu-1, queue training" in shown.stdout
    assert "6 of 8" in shown.stdout
    assert "Submit it to eu-1, queue training: it starts at once" in shown.stdout
    assert "data set 'none' is unknown" in shown.stderr
    (place,) = json.loads(fleetlake(*job, "--json").stdout)["places"]
    assert (place["wait_hours_upper"], place["gpus_free"]) == (0.0, 6.0)
    assert place["in_time"] > 0.9


def test_a_job_that_has_no_place(fleetlake, data):
    shown = fleetlake("place", "--dir", data, "--gpus", 7, "--hours", 1)
    assert "too few jobs were seen to end" in shown.stdout
    shown = fleetlake("place", "--dir", data, "--gpus", 1, "--hours", 1, "--memory", 40)
    assert "the memory of its GPUs is not known" in shown.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gpus", -1, "--hours", 1), "gpus=-1: at least 1"),
        (("--gpus", 1, "--hours", 1, "--deadline", "2020-01-01T00:00"), "is over"),
        (("--gpus", 1, "--hours", 1, "--deadline", "soon"), "'soon' is no time"),
    ],
)
def test_bad_jobs_are_one_line(fleetlake, data, options, message):
    failed = fleetlake("place", "--dir", data, *options)
    assert failed.returncode == 2
    assert message in failed.stderr
    assert "Traceback" not in failed.stderr
