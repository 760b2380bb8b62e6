"""A heavier forecaster for the short list of a round, in a process that is killed when it hangs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from detectors.errors import ForecasterError, ModelFailedError
from detectors.forecasting import Forecasts
from detectors.forecasting.forecast import FAR
from detectors.forecasting.heavier import questions, second_opinion, short_list
from detectors.forecasting.registry import require_forecaster
from lake.sandbox.frames import DATA, QUERY, READY, receive, send
from lake.sandbox.watchdog import Watchdog
from orchestration.steps.forecast import heavier_process
from orchestration.steps.forecast.heavier_process import HORIZON_BYTES, array, content

logger = logging.getLogger(__name__)

Float64 = npt.NDArray[np.float64]

START_SECONDS = 60.0
"""It imports for two seconds; on a busy machine, for ten."""

SERIES_SECONDS = 10.0
"""Longer for one series is a hang: exponential smoothing takes half a second for all its fits."""


@dataclass(frozen=True, slots=True)
class HeavierModel:
    """Which forecaster, and what it may cost.

    Attributes:
        name: of an entry point of `detectors.forecasting.registry.GROUP`.
        most: series that it is asked of in a round.
        seconds: that a round may take of it, its start included.
    """

    name: str
    most: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    told: Forecasts
    row: int
    values: Float64
    threshold: float

    @property
    def rank(self) -> tuple[float, float]:
        eta, chance = float(self.told.eta[self.row]), float(self.told.chance[self.row])
        return (np.inf if np.isnan(eta) else eta, -chance)


class SecondOpinions:
    """The short list of a round, and what a heavier model says of it; see `opinions_of`.

    Args:
        model: which, and what it may cost.

    Raises:
        ForecasterError: there is none of this name. It is loaded when it is needed.
    """

    def __init__(self, model: HeavierModel) -> None:
        require_forecaster(model.name)
        self.model = model
        self._left = model.seconds
        self._listed: list[_Candidate] = []
        self._process = _Process(model.name)
        self._asked, self._late = 0, 0
        self._failures: list[str] = []

    def stop(self) -> None:
        """End its process, and say in one line what it could not answer."""
        self._process.stop()
        if self._failures or self._late:
            logger.warning(
                "%s: of %d series %d failed and %d were not asked for want of time; they keep "
                "their light forecast; first failure: %s",
                self.model.name,
                self._asked,
                len(self._failures),
                self._late,
                self._failures[0] if self._failures else "none",
            )

    def consider(self, told: Forecasts, values: Float64, thresholds: Float64) -> None:
        """Keep of some forecasts those that deserve a second opinion; of all, the soonest."""
        rows = short_list(told, self.model.most)
        self._listed += [
            _Candidate(told, int(row), values[row].copy(), float(thresholds[row])) for row in rows
        ]
        self._listed = sorted(self._listed, key=lambda one: one.rank)[: self.model.most]

    def give(self, *, step_hours: float, horizon_hours: float) -> int:
        """Ask of the soonest first, and write what is better into their forecasts.

        What fails, hangs, or has no time left keeps its light forecast; `stop` tells of it.

        Returns:
            How many forecasts were replaced.

        Raises:
            ForecasterError: it cannot be loaded.
        """
        listed, self._listed = self._listed, []
        horizon = round(horizon_hours / step_hours)
        replaced = 0
        self._asked += len(listed)
        for one in listed:
            if self._left <= 0.0:
                self._late += 1
                continue
            began = time.monotonic()
            try:
                asked = questions(one.values, horizon)
                paths = self._process.paths(asked, FAR * horizon, self._left)
                better = second_opinion(
                    one.values,
                    one.threshold,
                    paths,
                    step_hours=step_hours,
                    horizon_hours=horizon_hours,
                )
            except ModelFailedError as error:
                self._failures.append(error.reason)
            else:
                if better is not None:
                    one.told.replace(one.row, better, self.model.name)
                    replaced += 1
            finally:
                self._left -= time.monotonic() - began
        return replaced


@contextmanager
def opinions_of(model: HeavierModel | None) -> Iterator[SecondOpinions | None]:
    """Second opinions for one round, None where no model is asked for.

    Raises:
        ForecasterError: there is no such model.
    """
    if model is None:
        yield None
        return
    opinions = SecondOpinions(model)
    try:
        yield opinions
    finally:
        opinions.stop()


class _Process:
    """The process of one forecaster: begun at the first question, and again after it was killed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None

    def paths(self, values: Float64, horizon: int, seconds: float) -> Float64:
        """What the forecaster tells of some rows.

        Raises:
            ForecasterError: it cannot be loaded.
            ModelFailedError: it raises, dies, or takes too long, its start aside.
        """
        if self._process is None:
            self._start(seconds)
        asked = horizon.to_bytes(HORIZON_BYTES, "big") + content(values)
        kind, told = self._answer(min(seconds, SERIES_SECONDS), asked)
        if kind != DATA:
            raise ModelFailedError(self._name, told.decode())
        return array(told)

    def stop(self) -> None:
        """Kill it, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            self._process = None

    def _start(self, seconds: float) -> None:
        home = str(Path(__file__).parents[3])
        path = os.pathsep.join([home, *filter(None, sys.path)])
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
            [sys.executable, "-P", "-m", heavier_process.__name__, self._name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            # Ctrl-C in a terminal is for us; it ends with its pipe.
            start_new_session=True,
        )
        kind, why = self._answer(min(seconds, START_SECONDS))
        if kind != READY:
            self.stop()
            raise ForecasterError(self._name, why.decode())

    def _answer(self, seconds: float, asked: bytes | None = None) -> tuple[bytes, bytes]:
        process = self._process
        assert process is not None  # noqa: S101 - started
        watchdog = Watchdog(seconds, process.kill)
        try:
            with watchdog.waiting():
                if asked is not None:
                    with suppress(BrokenPipeError):
                        send(_pipe(process.stdin), QUERY, asked)
                frame = receive(_pipe(process.stdout))
        finally:
            watchdog.close()
        if frame is None or watchdog.expired:
            self.stop()
            why = f"took more than {seconds:.1f} s" if watchdog.expired else "its process died"
            raise ModelFailedError(self._name, why)
        return frame


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - opened with the process
    return pipe
