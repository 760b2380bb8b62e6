"""What can go wrong in the lake, as one small tree.

* LakeError
  * LakeNotFoundError    the folder holds no lake and the caller asked not to make one
  * LakeFolderError      a folder whose path the readers would misread
  * StoreError           the disk or the object store that holds the lake fails
  * StoreOptionError     an option of the object store that is unknown or unsafe
  * TableDamagedError    a table whose log cannot be read
  * FileDamagedError     a table's file that is cut off, foreign or gone
  * FileUnknownError     a file that no table names
  * NewerLakeError       a table that a newer fleetlake wrote
  * LeaseHeldError       another process maintains the lake
  * SchemaError          rows that do not fit their table
  * ConflictError        other writers kept getting in first
  * TimeRangeError       an empty, naive or reversed time range
  * EngineError          the process that runs SQL from outside did not start
  * QueryError           SQL that the engine refuses (syntax, unknown names, wrong types)
    * QueryNotAllowedError   SQL from outside that is not one harmless SELECT
    * AsOfError              a past of the lake that cannot be told from what is given
      * VersionGoneError       a version whose log or files have been cleaned up
    * QueryMemoryError       SQL that needed more memory than it may
    * QueryTimeoutError      SQL that ran longer than it may
    * QueryCancelledError    SQL whose caller called it off, or went away
    * ResultTooLargeError    a result with more rows or bytes than it may have
  * FileFormatError      a file that is no Parquet or CSV table, or lacks a column
  * FooterError          a Parquet footer whose bytes are not what the format says
"""


class LakeError(Exception):
    """Base of all errors of this package."""


class LakeNotFoundError(LakeError):
    """There is no lake in this folder."""

    def __init__(self, root: str) -> None:
        self.root = root
        super().__init__(
            f"no lake in {root!r}: start one with `fleetlake up` or `fleetlake import`, "
            "or name its folder"
        )


class LakeFolderError(LakeError):
    """Parquet and Delta readers would take a part of the folder's path for something else."""

    def __init__(self, root: str, part: str, rule: str) -> None:
        self.root = root
        self.part = part
        super().__init__(f"lake folder {root!r}: {part!r} {rule}: choose another folder")


class StoreError(LakeError, OSError):
    """The place that holds the lake fails: a full disk, a server that is down, keys that expired.

    Nothing was committed, or it was and the next attempt finds it.
    """

    def __init__(self, place: str, action: str, problem: str, hint: str) -> None:
        self.place = place
        self.action = action
        self.problem = problem
        self.hint = hint
        super().__init__(f"{place}: cannot {action}: {problem}: {hint}")

    def __str__(self) -> str:
        # OSError keeps its text elsewhere than other errors, which one made again would lack.
        return f"{self.place}: cannot {self.action}: {self.problem}: {self.hint}"


class StoreOptionError(LakeError):
    """An option of the object store that is unknown, wrong or unsafe; its value is not told."""

    def __init__(self, name: str, rule: str) -> None:
        self.name = name
        self.rule = rule
        super().__init__(f"storage option {name!r} {rule}")


class TableDamagedError(LakeError):
    """A table's log cannot be read; other tables can."""

    def __init__(self, table: str, place: str, problem: str) -> None:
        self.table = table
        self.place = place
        self.problem = problem
        super().__init__(
            f"table {table!r}: the log in {place}/_delta_log cannot be read: {problem}: "
            "put the damaged file back from a copy, or move the table's folder away"
        )


class FileDamagedError(LakeError):
    """A file of a table cannot be read; the table's other files can."""

    def __init__(self, table: str, path: str, problem: str) -> None:
        self.table = table
        self.path = path
        self.problem = problem
        super().__init__(
            f"table {table!r}: file {path!r} cannot be read: {problem}: put it back from a copy, "
            "or take it out of the table by `fleetlake lake take-out`"
        )


class FileUnknownError(LakeError):
    """No table of the lake names this file."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"no table names file {path!r} in its newest version: give the path as the error has it"
        )


class NewerLakeError(LakeError):
    """The lake's tables are newer than this program; nothing was read or written."""

    def __init__(self, table: str, found: str, known: int) -> None:
        self.table = table
        self.found = found
        self.known = known
        super().__init__(
            f"table {table!r} has schema version {found!r}, this program knows up to {known}: "
            "use the version of fleetlake that wrote it, or a newer one"
        )


class LeaseHeldError(LakeError):
    """Another process maintains this lake at the moment."""

    def __init__(self, place: str, holder: str) -> None:
        self.place = place
        self.holder = holder
        super().__init__(
            f"lake {place!r} is being maintained by {holder}: one process does that at a time: "
            "wait, or stop it"
        )


class SchemaError(LakeError):
    """Rows do not fit the table they were meant for."""

    def __init__(self, table: str, rule: str) -> None:
        self.table = table
        self.rule = rule
        super().__init__(f"table {table!r}: {rule}")


class ConflictError(LakeError):
    """Other writers of the table got in first at every attempt; nothing was written."""

    def __init__(self, table: str, attempts: int) -> None:
        self.table = table
        self.attempts = attempts
        super().__init__(
            f"table {table!r}: {attempts} attempts to commit each met another writer's commit: "
            "try again"
        )


class TimeRangeError(LakeError):
    """A time range is empty, reversed or has no time zone."""


class EngineError(LakeError):
    """The process that runs SQL from outside did not start."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the process for queries did not start: it ended with status {status}")


class QueryError(LakeError):
    """The engine refused the SQL; the message is the engine's own."""


class QueryNotAllowedError(QueryError):
    """SQL from outside must be one SELECT over the lake's own tables."""


class AsOfError(QueryError):
    """Which version of the lake is meant cannot be told."""

    def __init__(self, as_of: str, rule: str) -> None:
        self.as_of = as_of
        self.rule = rule
        super().__init__(f"as of {as_of!r}: {rule}")


class VersionGoneError(AsOfError):
    """A version of a table that is there no longer, or not yet.

    Attributes:
        oldest: the oldest version that can still be read.
        newest: the newest there is.
    """

    def __init__(self, as_of: str, table: str, oldest: int, newest: int, rule: str) -> None:
        self.table = table
        self.oldest = oldest
        self.newest = newest
        super().__init__(
            as_of, f"table {table!r} {rule}: its versions {oldest} to {newest} can be read"
        )


class QueryMemoryError(QueryError):
    """The SQL needed more memory than allowed, or its process died for another reason."""

    def __init__(self, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        super().__init__(
            f"query needed more memory than {memory_bytes >> 20} MiB, or crashed the engine: "
            "read less, or aggregate"
        )


class QueryTimeoutError(QueryError):
    """The SQL ran longer than allowed and was cancelled."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"query cancelled after {seconds:g} s, the longest a query may run: "
            "filter on date or time, or aggregate"
        )


class QueryCancelledError(QueryError):
    """Whoever had asked called the query off."""

    def __init__(self) -> None:
        super().__init__("query cancelled by its caller")


class ResultTooLargeError(QueryError):
    """The result has more rows or bytes than allowed."""

    def __init__(self, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        super().__init__(f"result has more than {limit} {what}: add a LIMIT, or aggregate")


class FileFormatError(LakeError):
    """A file cannot be read as a table of samples."""

    def __init__(self, path: str, rule: str) -> None:
        self.path = path
        self.rule = rule
        super().__init__(f"file {path!r}: {rule}")


class FooterError(LakeError):
    """The footer of a Parquet file, or the header of a page, is damaged."""

    def __init__(self, at: int, rule: str) -> None:
        self.at = at
        self.rule = rule
        super().__init__(
            f"parquet footer, byte {at}: {rule}: the file is damaged, take it out or write it again"
        )
