"""`fleetlake check-detector`, and the example of the manual: a detector of a user's own."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

MANUAL = Path(__file__).parents[2] / "docs" / "detection.md"


@pytest.fixture
def acme(tmp_path):
    """The package of the manual, and its settings."""
    text = MANUAL.read_text()
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").touch()
    code = re.search(r"```python\n(import numpy.*?)```", text, re.DOTALL).group(1)
    (tmp_path / "acme" / "fence.py").write_text(code)
    settings = re.search(r"```yaml\n([^`]*acme[^`]*)```", text).group(1)
    (tmp_path / "fleetlake.yaml").write_text(settings)
    return tmp_path


@pytest.fixture
def installed_beside(installed, monkeypatch, acme):
    """Runs the program as it is installed, with the package on its path."""
    monkeypatch.setenv("PYTHONPATH", str(acme))
    return installed


def test_the_manuals_detector_is_lawful_and_found_in_the_settings(installed_beside):
    done = installed_beside("check-detector", "acme.fence:Fence", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["lawful"]
    assert {one["law"] for one in told["laws"]} > {"causal", "same_bytes", "constant_series"}
    assert all(one["says"] and one["broken"] is None for one in told["laws"])


def test_it_scores_a_file(installed_beside, acme):
    values = np.random.default_rng(0).normal(100.0, 5.0, 600)
    values[500:520] = 300.0
    times = pl.datetime_range(
        pl.datetime(2026, 11, 23), pl.datetime(2026, 11, 23, 9, 59), "1m", eager=True
    )
    pl.DataFrame({"timestamp": times, "value": values}).write_csv(acme / "in.csv")
    options = ("--out", "out.csv", "--detector", "acme.fence:Fence")
    done = installed_beside("detect", "in.csv", *options)
    assert done.returncode == 0, done.stderr
    score = pl.read_csv(acme / "out.csv")["score"]
    assert score[505:520].min() >= 1.0
    done = installed_beside("detect", "in.csv", "--out", "out.csv", "--detector", "acme.no:Fence")
    assert done.returncode == 2
    assert "PYTHONPATH" in done.stderr


def test_a_broken_law_is_told_with_exit_code_1(fleetlake):
    done = fleetlake("check-detector", "pyod.COPOD")
    assert done.returncode == 1
    assert "higher_is_more_abnormal" in done.stdout
    assert "below the threshold" in done.stderr
    assert re.search(r"1[5-7] of 18 laws hold", done.stderr)


def test_one_of_the_settings_is_tried_with_its_parameters(fleetlake, tmp_path):
    (tmp_path / "fleetlake.yaml").write_text(
        "detection:\n  detectors:\n"
        "    - {name: pyod.HBOS, parameters: {n_bins: 2, false_alarm_rate: 1.0e-30}}\n"
    )
    done = fleetlake("check-detector", "pyod.HBOS", "--json")
    assert done.returncode == 1
    broken = {one["law"] for one in json.loads(done.stdout)["laws"] if not one["holds"]}
    assert "higher_is_more_abnormal" in broken


def test_what_is_no_detector_is_an_error(fleetlake):
    done = fleetlake("check-detector", "pyod.Iforst")
    assert done.returncode == 2
    assert "pyod.IForest" in done.stderr
