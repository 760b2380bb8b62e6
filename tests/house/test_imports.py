"""Importing is free of side effects, and `lake` is light."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("lake", "ingest", "detectors", "orchestration", "api")

IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""

LIGHT = """
import sys
import lake
heavy = {"fastapi", "dagster", "pyod", "polars", "pandas", "ray", "nicegui", "numba", "sklearn"}
print(*sorted(heavy & set(sys.modules)))
"""


def modules(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run(code, *arguments, cwd=ROOT, **env):
    """In a process without any environment variable but these."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, cwd=cwd, capture_output=True, text=True
    )


def test_every_module_imports_with_an_empty_environment():
    names = [name for package in PACKAGES for name in modules(package)]
    assert len(names) > 50
    done = run(IMPORT_ALL, *names)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""


def test_kernels_are_imported_where_none_can_be_kept():
    """A read-only install without a home: numba is left one place, which nobody has named."""
    names = [name for package in ("detectors", "ingest") for name in modules(package)]
    done = run(IMPORT_ALL, *names, NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_lake_is_light():
    done = run(LIGHT)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr[-2000:]


def test_importing_the_lake_writes_nothing(tmp_path):
    done = run(f"import sys; sys.path.insert(0, {str(ROOT)!r}); import lake, ingest", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []
