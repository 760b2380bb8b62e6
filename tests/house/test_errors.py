"""Each package has one tree of errors, and draws it in the docstring of its `errors.py`."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ingest", "lake", "detectors", "orchestration", "api")
BULLET = re.compile(r"^( *)\* (\w+)", re.MULTILINE)
BRANCH = re.compile(r"^((?:[│ ]   )*[├└]── )?(\w+Error)\b", re.MULTILINE)


def defined(module):
    return [
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if each.__module__ == module.__name__ and issubclass(each, BaseException)
    ]


def lines(docstring):
    """(depth, name) of every drawn class: as nested bullets, or with branches in a code block."""
    if "├──" in docstring or "└──" in docstring:
        return [(len(stem or "") // 4, name) for stem, name in BRANCH.findall(docstring)]
    return [(len(indent) // 2, name) for indent, name in BULLET.findall(docstring)]


def drawn(docstring):
    """Each drawn class with the one it is drawn under."""
    above, parents = [], {}
    for depth, name in lines(docstring or ""):
        del above[depth:]
        parents[name] = above[-1] if above else None
        above.append(name)
    return parents


def modules():
    """Those `errors.py` that hold errors (in `api`, it maps other packages' errors)."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("errors.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if defined(importlib.import_module(name)):
                yield name


MODULES = list(modules())


def test_the_packages_with_errors_are_found():
    assert {"lake.errors", "ingest.errors"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_one_base_class(name):
    classes = defined(importlib.import_module(name))
    roots = [each for each in classes if not any(base in classes for base in each.__bases__)]
    assert len(roots) == 1, f"{name} has several trees: {roots}"
    assert all(each.__name__.endswith("Error") for each in classes)
    assert all(each.__doc__ for each in classes)


@pytest.mark.parametrize("name", MODULES)
def test_the_docstring_draws_the_tree(name):
    module = importlib.import_module(name)
    classes = defined(module)
    found = drawn(module.__doc__)
    # A base from another package may be drawn too, to show where the tree hangs.
    known = {each.__name__ for each in classes} | {
        base.__name__ for each in classes for base in each.__bases__ if base.__name__ in found
    }
    actual = {
        each.__name__: next((b.__name__ for b in each.__bases__ if b.__name__ in known), None)
        for each in classes
    }
    assert {name: above for name, above in found.items() if name in actual} == actual
    assert set(found) == known
