"""Every benchmark finds what it imports, and says by which command it runs."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_can_be_imported(name, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.syspath_prepend(str(FOLDER.parent))
    module = importlib.import_module(f"benchmarks.{name}")
    if hasattr(module, "main"):
        assert f"benchmarks/{name}.py" in (module.__doc__ or "")
