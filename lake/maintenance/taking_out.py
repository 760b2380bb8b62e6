"""Giving up a file that cannot be read, so that queries over its day work again."""

from lake.errors import FileUnknownError
from lake.files import TableFile
from lake.maintenance.tables import Tables


def take_out(lake: Tables, path: str) -> TableFile:
    """Take a file out of the table that names it; its rows are gone from the newest version.

    The file itself stays for the grace time, and older versions still name it: put back from a
    copy, `AS OF` reads it.

    Args:
        lake: the lake.
        path: as an error names it.

    Raises:
        FileUnknownError: no table names it in its newest version.
    """
    for table in lake.tables.values():
        for file in table.files()[1]:
            if file.path == path:
                table.rewrite([], [file], data_change=True)
                return file
    raise FileUnknownError(path)
