"""Where an unfitted model comes from: PyOD, by class name, or a class that a user wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.borrowed.frozen import FROZEN
from detectors.borrowed.registry import make, make_model

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Source:
    """How to get a model.

    Attributes:
        title: for messages, as "pyod.IForest".
        new: returns an unfitted one.
        frozen: scores points against training points, in place of a model that cannot be asked
            about one point alone.
    """

    title: str
    new: Callable[[], Any]
    frozen: Callable[[Float64, Float64], Float64] | None = None


def source(name: str, own: type | None, seed: int, params: dict[str, Any]) -> Source:
    """Where the model of that name comes from; one is made to see whether it can be.

    Args:
        name: a PyOD class name, or what to call `own`.
        own: a user's class with `fit` and `decision_function`; None = PyOD's.
        seed: given as `random_state` where the class takes one and `params` has none.
        params: the class's own parameters.

    Raises:
        UnknownDetectorError: PyOD has no such detector, or an extra that it needs is missing.
        InvalidParameterError: the class refuses the parameters.
    """
    if own is not None:
        found = Source(name, lambda: make(own, name, seed, params))
    else:
        found = Source(f"pyod.{name}", lambda: make_model(name, seed, params), FROZEN.get(name))
    found.new()
    return found
