"""Giving up a file that cannot be read, so that queries over its day work again."""

from lake.errors import FileUnknownError
from lake.files import TableFile
from lake.maintenance.tables import Tables


def take_out(lake: Tables, path: str) -> TableFile:
    """Take a file out of the table that names it; its rows are gone from the newest version.

    The file itself stays for the grace time, and older versions still name it: put back from a
    copy, `AS OF` reads it. Of samples, the rollups of its day are computed again without them.

    Args:
        lake: the lake.
        path: as an error names it.

    Raises:
        FileUnknownError: no table names it in its newest version.
    """
    found = find(lake, path)
    if found is None:
        raise FileUnknownError(path)
    name, file = found
    lake.tables[name].rewrite([], [file], data_change=True, news=True)
    return file


def find(lake: Tables, path: str) -> tuple[str, TableFile] | None:
    """The table that names a file in its newest version, and the file; None = none does."""
    for name, table in lake.tables.items():
        for file in table.files()[1]:
            if file.path == path:
                return name, file
    return None
