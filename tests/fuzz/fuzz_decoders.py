"""Coverage-guided fuzzing of one decoder, by atheris (libFuzzer for Python).

    uv run --with atheris python -m tests.fuzz.fuzz_decoders --decoder remote-write-1 --seconds 60
    uv run --with atheris python -m tests.fuzz.fuzz_decoders --list

A finding ends the run with a stack trace; the input lies in `--findings` (default: /tmp/findings).
Compiled functions run as the Python that they are written in: so their branches are seen, and an
index beyond an array, or before it (which numpy would take from the end), is a finding.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"

import atheris
import numpy as np

MOST_SECONDS = 2.0
"""For an input of some kilobytes, instrumented and not compiled."""


class Checked(np.ndarray):
    """An array that takes no index from its end: compiled code would read what is before it."""

    def __getitem__(self, key):
        # `scan` itself is Python and counts from the end on purpose.
        if sys._getframe(1).f_code.co_name != "scan":
            self._check(key)
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        self._check(key)
        super().__setitem__(key, value)

    def _check(self, key):
        for axis, one in enumerate(key if isinstance(key, tuple) else (key,)):
            if isinstance(one, int | np.integer) and not 0 <= int(one) < self.shape[axis]:
                raise IndexError(f"index {one} of {self.shape}")
            if isinstance(one, slice):
                size = self.shape[axis]
                for end in (one.start, one.stop):
                    if end is not None and not 0 <= int(end) <= size:
                        raise IndexError(f"slice {one} of {self.shape}")


class CheckedNumpy:
    """numpy, whose new arrays are checked."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, *args, **kwargs):
        return np.empty(*args, **kwargs).view(Checked)

    def zeros(self, *args, **kwargs):
        return np.zeros(*args, **kwargs).view(Checked)

    def frombuffer(self, *args, **kwargs):
        return np.frombuffer(*args, **kwargs).view(Checked)


def load():
    """The targets, instrumented, on checked arrays."""
    with atheris.instrument_imports(include=["ingest"], enable_loader_override=False):
        from ingest import naming  # noqa: PLC0415 - instrumented as it is imported
        from ingest.remote_write import message, scan, scan_v2  # noqa: PLC0415
        from tests.fuzz import targets  # noqa: PLC0415
    for module in (message, naming, scan, scan_v2):
        module.np = CheckedNumpy()
    # What overflows here is meant to: hashes are numbers of 64 bits.
    np.seterr(all="ignore")
    return targets.TARGETS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decoder")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--findings", type=Path, default=Path("/tmp/findings"))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    targets = load()
    if given.list:
        sys.stdout.write("\n".join(targets) + "\n")
        return
    target = targets[given.decoder]
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
        target.run(seed)
    given.findings.mkdir(parents=True, exist_ok=True)
    slowest = [0.0]

    def one_input(data: bytes) -> None:
        began = time.process_time()
        target.run(data)
        slowest[0] = max(slowest[0], time.process_time() - began)
        if slowest[0] > MOST_SECONDS:
            raise TimeoutError(f"{len(data)} bytes took {slowest[0]:.1f} s")

    options = [
        sys.argv[0], str(corpus), f"-max_total_time={given.seconds}", "-timeout=20",
        "-rss_limit_mb=2048", "-max_len=2048", f"-seed={given.seed}", "-print_final_stats=1",
        f"-artifact_prefix={given.findings}/{given.decoder}-", "-verbosity=0",
    ]  # fmt: skip
    atheris.Setup(options, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
