"""Classes of users' own: what is imported, what is refused, and what never is imported."""

import sys

import numpy as np
import pytest

from detectors import Detector, Panel, build
from detectors.catalogue import build_for, from_arrays
from detectors.checks import require_lawful
from detectors.errors import InvalidParameterError, OwnDetectorError, UnknownDetectorError

MODULE = '''
import numpy as np
from detectors import Detector

class Fence:
    """With PyOD's words."""
    def __init__(self, least=0.1):
        self.least = least
    def fit(self, points, y=None):
        self.low, self.high = np.quantile(points, [0.25, 0.75], axis=0)
        self.width = np.maximum(self.high - self.low, self.least)
    def decision_function(self, points):
        return (np.maximum(self.low - points, points - self.high) / self.width).max(axis=1)

class Whole(Detector):
    context = 0
    scope = "series"
    def __init__(self, size):
        if size < 0:
            raise RuntimeError("a size below nothing")
        self.size = size
    def _learn(self, panel): ...
    def _decide(self, panel, rows): ...
    def _state(self): ...
    def _restore(self, arrays): ...

class Wordless:
    def fit(self, points): ...

number = 7
'''


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A package of a user's, as on PYTHONPATH."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").write_text("")
    (tmp_path / "acme" / "own.py").write_text(MODULE)
    (tmp_path / "acme" / "broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        del sys.modules[name]


@pytest.fixture
def panel():
    values = np.random.default_rng(0).normal(10.0, 1.0, size=(3, 400))
    return Panel(values, 0, 60_000_000, [1, 2, 3])


def test_a_class_with_pyods_words_is_used_like_pyods(acme, panel):
    require_lawful(lambda: build("acme.own:Fence", least=0.2))
    values = panel.values.copy()
    values[:, 300:320] = 30.0
    detector = build("acme.own:Fence", window=4).fit(panel)
    assert (detector.score(panel.with_values(values)).score[:, 305:320] > 1.0).all()
    assert build_for("entity", "acme.own:Fence").scope == "entity"
    assert build("acme.own:Fence", least=0.3).get_params()["least"] == 0.3


def test_a_class_can_be_pooled_too(acme, panel):
    assert build("pooled.acme.own:Fence").fit(panel).has_learned


def test_a_detector_of_ones_own_gets_its_parameters(acme):
    assert isinstance(build("acme.own:Whole", size=3), Detector)
    with pytest.raises(InvalidParameterError, match="only size"):
        build("acme.own:Whole", sise=3)
    with pytest.raises(InvalidParameterError, match="a size below nothing"):
        build("acme.own:Whole", size=-3)
    with pytest.raises(InvalidParameterError, match="leest"):
        build("acme.own:Fence", leest=1)


REFUSED = {
    "acme.own:Missing": "no attribute 'Missing'",
    "acme.own:Wordless": "no decision_function",
    "acme.own:number": "is a int, a class is needed",
    "acme.broken:Any": "ZeroDivisionError",
    "acme.nothing:Any": "PYTHONPATH",
    "acme.own:": "package.module:Class",
    ":Fence": "package.module:Class",
    "acme/own.py:Fence": "package.module:Class",
    "pooled.acme.own:Whole": "only a class with PyOD's words can be pooled",
    "pooled.acme.own:Missing": "no attribute",
}


@pytest.mark.parametrize(("path", "why"), REFUSED.items())
def test_refused(acme, path, why):
    params = {"size": 1} if path.endswith("Whole") else {}
    with pytest.raises(OwnDetectorError, match=why):
        build(path, **params)


def test_a_state_never_imports_anything(acme, panel):
    detector = build("acme.own:Fence").fit(panel)
    arrays = detector.to_arrays()
    kind = type(detector)
    back = from_arrays(arrays, kind)
    assert back.score(panel).score.tobytes() == detector.score(panel).score.tobytes()
    for name in ("acme.own", "acme"):
        del sys.modules[name]
    with pytest.raises(UnknownDetectorError):
        from_arrays(arrays)
    # Not even where the state says that PyOD's adapter wrote it.
    with pytest.raises(UnknownDetectorError):
        from_arrays(arrays | {"detector": np.array("PyODDetector")})
    assert "acme.own" not in sys.modules
