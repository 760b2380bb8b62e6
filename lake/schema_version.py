"""Which schema version a table was written with, as the table itself says."""

from deltalake import DeltaTable

from lake.errors import NewerLakeError
from lake.schema import SCHEMA_VERSION

SCHEMA_VERSION_PROPERTY = "fleetlake.schemaVersion"
"""A property of the Delta table. A table without it is of the first version."""


def check_version(delta: DeltaTable, table: str) -> None:
    """Refuse a table that a newer program has changed the meaning of.

    Raises:
        NewerLakeError: its schema version is higher than ours, or no number.
    """
    found = delta.metadata().configuration.get(SCHEMA_VERSION_PROPERTY)
    if found is not None and not (found.isdecimal() and int(found) <= SCHEMA_VERSION):
        raise NewerLakeError(table, found, SCHEMA_VERSION)
