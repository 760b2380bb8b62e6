"""What maintenance needs of a lake."""

from collections.abc import Mapping
from typing import Protocol

from lake.store import Store
from lake.table import Table


class Tables(Protocol):
    """Tables in one place: `lake.lake.Lake`, which reads by modules that know of maintenance."""

    @property
    def store(self) -> Store:
        """Where they lie."""
        ...

    @property
    def tables(self) -> Mapping[str, Table]:
        """All of them, by name."""
        ...
