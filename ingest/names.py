"""A table of names, each with a small number: clusters, or metrics."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


class Names:
    """Names by code. Who uses one holds it; a code that nobody holds is given to another name.

    Its owner holds the lock.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._holders: list[int] = []
        self._free: list[int] = []
        self._codes: dict[bytes, int] = {}
        self._ordered: tuple[pa.Array, npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, code: int) -> str:
        return self._names[code]

    def hold(self, name: bytes) -> int:
        """The code of a name (UTF-8), a new one if need be; to be given back by `release`."""
        code = self._codes.get(name)
        if code is None:
            code = self._new(name)
        self._holders[code] += 1
        return code

    def release(self, code: int) -> None:
        """Give back what `hold` gave, once."""
        self._holders[code] -= 1
        if not self._holders[code]:
            del self._codes[self._names[code].encode()]
            self._names[code] = ""
            self._free.append(code)
            self._ordered = None

    def _new(self, name: bytes) -> int:
        if self._free:
            code = self._free.pop()
            self._names[code] = name.decode()
        else:
            code = len(self._names)
            self._names.append(name.decode())
            self._holders.append(0)
        self._codes[name] = code
        self._ordered = None
        return code

    def find(self, name: bytes) -> int | None:
        """The code of a name that is known."""
        return self._codes.get(name)

    def ordered(self) -> tuple[pa.Array, npt.NDArray[np.int64]]:
        """All names by code, and the place of each in the order of names."""
        if self._ordered is None:
            names = pa.array(self._names, pa.string())
            place = np.empty(len(names), np.int64)
            place[np.asarray(pc.sort_indices(names))] = np.arange(len(names))
            self._ordered = names, place
        return self._ordered
