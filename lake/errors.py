"""What can go wrong in the lake, as one small tree.

* LakeError
  * LakeNotFoundError    the folder holds no lake and the caller asked not to make one
  * LakeFolderError      a folder whose path the readers would misread
  * SchemaError          rows that do not fit their table
  * ConflictError        other writers kept getting in first
  * TimeRangeError       an empty, naive or reversed time range
  * EngineError          the process that runs SQL from outside did not start
  * QueryError           SQL that the engine refuses (syntax, unknown names, wrong types)
    * QueryNotAllowedError   SQL from outside that is not one harmless SELECT
    * QueryMemoryError       SQL that needed more memory than it may
    * QueryTimeoutError      SQL that ran longer than it may
    * ResultTooLargeError    a result with more rows or bytes than it may have
  * FileFormatError      a file that is no Parquet or CSV table, or lacks a column
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
