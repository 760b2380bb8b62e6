"""Every detector of the catalogue against every law."""

import time

import pytest

from detectors import build
from detectors.checks import laws

DETECTORS = {
    "window_memory": {},
    "entity_memory": {},
    "pyod.ECOD": {},
    "pyod.KNN": {},
    "pyod.IForest": {"n_estimators": 40},
    "pyod.HBOS": {},
    "pyod.COPOD": {},
    "entity pyod.ECOD": {"scope": "entity"},
    "entity pyod.KNN": {"scope": "entity"},
}
# (detector, law): why the law cannot hold. May only shrink.
SKIPS: dict[tuple[str, str], str] = {
    ("pyod.COPOD", "higher_is_more_abnormal"): (
        "a left-skewed dimension counts its left tail alone, so COPOD halves an upward shift"
    ),
}


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    "law", [pytest.param(check, id=law) for law, check in laws(time.process_time)]
)
def test_law(name, law, request):
    law_name = request.node.callspec.id.split("-")[0]
    if (name, law_name) in SKIPS:
        pytest.skip(SKIPS[name, law_name])
    law(lambda: build(name.removeprefix("entity "), **DETECTORS[name]))
