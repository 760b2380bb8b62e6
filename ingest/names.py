"""A table of names, each with a small number: clusters, or metrics."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


class Names:
    """Names by code, in the order in which they were met. Its owner holds the lock."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._codes: dict[bytes, int] = {}
        self._ordered: tuple[pa.Array, npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, code: int) -> str:
        return self._names[code]

    def code(self, name: bytes) -> int:
        """The code of a name (UTF-8); a new one if need be."""
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self._names)
            self._names.append(name.decode())
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
