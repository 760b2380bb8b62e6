"""The process in which a heavier forecaster works: it may hang, die, or take all memory.

    python -m orchestration.steps.forecast.heavier_process NAME

Frames as those of `lake.sandbox.frames`: READY once it is loaded, or ERROR with the reason; then
for each QUERY (the horizon in columns, an array in NumPy's format) DATA with the paths, or ERROR.
"""

from __future__ import annotations

import io
import os
import sys

import numpy as np
import numpy.typing as npt

from detectors.errors import ForecasterError
from detectors.forecasting.registry import load_forecaster
from lake.sandbox.frames import DATA, ERROR, READY, receive, send

Float64 = npt.NDArray[np.float64]

HORIZON_BYTES = 8


def main() -> None:
    """Answer until the pipe ends."""
    # What a model prints is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        model = load_forecaster(sys.argv[1])
    except ForecasterError as error:
        send(answers, ERROR, error.rule.encode())
        return
    send(answers, READY)
    while (frame := receive(sys.stdin.buffer)) is not None:
        horizon = int.from_bytes(frame[1][:HORIZON_BYTES], "big")
        try:
            paths = np.asarray(model.paths(array(frame[1][HORIZON_BYTES:]), horizon), np.float64)
        except Exception as error:  # noqa: BLE001 - of a model that others wrote
            send(answers, ERROR, repr(error).encode())
        else:
            send(answers, DATA, content(paths))


def content(values: Float64) -> bytes:
    """An array as the content of a frame."""
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()


def array(told: bytes) -> Float64:
    """The array that `content` has written."""
    values: Float64 = np.load(io.BytesIO(told), allow_pickle=False)
    return values


if __name__ == "__main__":
    main()
