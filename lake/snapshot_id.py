"""A version of every table, as a short text that names the same rows for ever."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lake.errors import AsOfError
from lake.schema import SCHEMA_VERSION, TABLES

ABSENT = -1
"""The version of a table that did not exist: it has no rows."""

_ABSENT = "_"

_FORM = re.compile(r"(\d+)-((?:\d+|_)(?:\.(?:\d+|_))*)")


@dataclass(frozen=True)
class SnapshotId:
    """Schema version, then the version of each table in the order of `lake.schema.TABLES`.

    Tables are only ever added at that order's end, so that an id stays readable: the tables that
    it does not know did not exist. A table that did not exist yet has `_`.

    >>> id = SnapshotId({"samples": 812, "series": 40, "events": 77})
    >>> str(id)
    '1-812.40.77._._._._._._._._'
    >>> SnapshotId.parse("1-812.40").versions["series"]
    40
    >>> SnapshotId.parse("1-812.40").versions["events"]
    -1
    """

    versions: Mapping[str, int]

    def __str__(self) -> str:
        numbers = (self.versions.get(name, ABSENT) for name in TABLES)
        return f"{SCHEMA_VERSION}-" + ".".join(
            _ABSENT if number == ABSENT else str(number) for number in numbers
        )

    @staticmethod
    def looks_like_one(text: str) -> bool:
        """Whether a text has the form of an id."""
        return _FORM.fullmatch(text) is not None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id of a text.

        Raises:
            AsOfError: it is none, or of a newer fleetlake.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise AsOfError(text, "is no snapshot id, such as '1-812.40.77'")
        schema, numbers = int(found[1]), found[2].split(".")
        if schema > SCHEMA_VERSION or len(numbers) > len(TABLES):
            raise AsOfError(text, "is of a newer version of fleetlake: read it with that one")
        numbers += [_ABSENT] * (len(TABLES) - len(numbers))
        return cls(
            {
                name: ABSENT if number == _ABSENT else int(number)
                for name, number in zip(TABLES, numbers, strict=True)
            }
        )
