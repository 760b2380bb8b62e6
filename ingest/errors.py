"""What can go wrong on the way in, as one small tree.

* IngestError
  * BadRequestError            the sender must not send this again as it is (400)
    * MalformedBodyError         not snappy, not the announced message, not JSON
      * ExpositionError            a line that is no text or OpenMetrics exposition
    * InvalidLabelsError         a label set without a metric name, with duplicates, not UTF-8 …
    * ClusterMissingError        nothing says which cluster the data is of
    * ClusterForbiddenError      a cluster that the sender's token does not allow (403)
    * TimestampError             beyond the configured future or past
    * UnsupportedSampleError     a known part of the message that is not stored
    * InvalidHistogramError      a native histogram that contradicts itself, or is too large
    * InvalidEventError          an event without the fields that identify it
  * SeriesLimitError           a cluster has as many series as it may (429)
  * UnauthorizedError          no token that is known (401)
  * UnsupportedProtocolError   a content type or encoding that is not understood (415)
  * BodyTooLargeError          the body, packed or unpacked, is over the limit (413)
    * TooManyEntriesError        it holds more series or descriptions than one request may
  * OverloadedError            memory is at its ceiling, try again later (503)
    * FullError                  no more of something fits; what is known is still taken
      * TooManySeriesError         series
      * TooManyLabelsError         bytes of the labels of all series
      * TooManyClustersError       clusters with replicas
  * LogError                   the write-ahead log cannot be written (503)
    * LogCorruptError            a log segment is damaged before its end
    * LogLockedError             another receiver uses this log
    * LogVersionError            another version wrote this log
    * PositionTakenError         another process has committed under this receiver's name
  * SourceError                a server that is fetched from did not answer as it should
    * AnswerTooLargeError        it has more to say than it, or we, can take at once
    * ApiServerError             a Kubernetes API server refused, with its status
"""


class IngestError(Exception):
    """Base of all errors of this package."""

    reason = "other"
    """Short name of the rule that was broken, for counters."""


class BadRequestError(IngestError):
    """The data is wrong; sending it again cannot help."""


class MalformedBodyError(BadRequestError):
    """The body is not what its headers announce."""

    reason = "malformed"


class ExpositionError(MalformedBodyError):
    """A line that is no text or OpenMetrics exposition."""

    def __init__(self, line: int, text: bytes, rule: str) -> None:
        self.line, self.rule = line, rule
        shown = text[:120].decode(errors="replace")
        super().__init__(f"line {line} {shown!r}: {rule}")


class InvalidLabelsError(BadRequestError):
    """A series whose labels break a rule of the data model."""

    reason = "labels"

    def __init__(self, labels: object, rule: str) -> None:
        self.labels, self.rule = labels, rule
        super().__init__(f"series {labels}: {rule}")


class ClusterMissingError(BadRequestError):
    """A series or event that belongs to no cluster."""

    reason = "cluster missing"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} names no cluster: set `external_labels: {{cluster: …}}` in the sender, "
            "or add `?cluster=…` to the address"
        )


class ClusterForbiddenError(BadRequestError):
    """The sender's token does not allow this cluster."""

    reason = "cluster not allowed"

    def __init__(self, cluster: str, allowed: list[str]) -> None:
        self.cluster, self.allowed = cluster, allowed
        super().__init__(
            f"cluster {cluster!r} is not one that this token allows ({', '.join(allowed)}): "
            "send with that cluster's token, or allow it in `ingest.tokens`"
        )


class SeriesLimitError(IngestError):
    """A cluster has as many series as it may; those that it has are still taken."""

    reason = "too many series"

    def __init__(self, cluster: str, limit: int) -> None:
        self.cluster, self.limit = cluster, limit
        super().__init__(
            f"cluster {cluster!r} has {limit} active series and may have no more "
            "(`ingest.max_series_per_cluster`): drop labels that vary, or raise it"
        )


class UnauthorizedError(IngestError):
    """The request has no token that is known."""

    reason = "unauthorized"

    def __init__(self) -> None:
        super().__init__(
            "no known token: send `Authorization: Bearer …` with one of `ingest.tokens`"
        )


class TimestampError(BadRequestError):
    """A time that cannot be right."""

    def __init__(self, series: str, milliseconds: int, rule: str, reason: str = "time") -> None:
        self.series = series
        self.milliseconds, self.reason = milliseconds, reason
        super().__init__(f"series {series}: timestamp {milliseconds} ms {rule}")


class UnsupportedSampleError(BadRequestError):
    """A known kind of sample that would be lost if it were accepted."""

    reason = "histogram"


class InvalidHistogramError(BadRequestError):
    """A native histogram that contradicts itself, or has more buckets than are taken."""

    reason = "histogram"

    def __init__(self, time_ms: int | None, rule: str) -> None:
        self.time_ms, self.rule = time_ms, rule
        when = "" if time_ms is None else f" of {time_ms} ms"
        super().__init__(f"native histogram{when}: {rule}")


class InvalidEventError(BadRequestError):
    """An event that lacks what identifies it."""

    reason = "event"


class UnsupportedProtocolError(IngestError):
    """The content type or encoding is not understood."""

    reason = "protocol"

    def __init__(self, header: str, value: str, accepted: str) -> None:
        self.header, self.value = header, value
        super().__init__(f"{header} is {value!r}, accepted: {accepted}")


class BodyTooLargeError(IngestError):
    """The body is over the limit."""

    reason = "too large"

    def __init__(self, size: int, limit: int, what: str = "body") -> None:
        self.size, self.limit = size, limit
        super().__init__(
            f"{what} has {size} bytes, at most {limit} are accepted: send smaller batches"
        )


class TooManyEntriesError(BodyTooLargeError):
    """The body holds more entries of one sort than a request may."""

    def __init__(self, count: int, limit: int, what: str) -> None:
        self.size, self.limit = count, limit
        IngestError.__init__(
            self, f"request has {count} {what}, at most {limit} are accepted: send smaller batches"
        )


class OverloadedError(IngestError):
    """Memory is at its ceiling; the same request will be accepted later."""

    reason = "overloaded"

    def __init__(self, waiting: int, limit: int, retry_after: int) -> None:
        self.waiting = waiting
        self.limit, self.retry_after = limit, retry_after
        super().__init__(
            f"{waiting} samples wait for the lake, at most {limit} may: retry in {retry_after} s"
        )


class FullError(OverloadedError):
    """Something has as much room as it may; what is known of it is still taken."""

    rule = "{limit}"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        IngestError.__init__(self, self.rule.format(limit=limit))


class TooManySeriesError(FullError):
    """The receiver knows as many series as it may."""

    rule = "{limit} series are known and no more are accepted: raise `ingest.max_series`"


class TooManyLabelsError(FullError):
    """The labels of all series take as much memory as they may."""

    rule = "labels take {limit} bytes and no more fit: raise `ingest.max_label_memory_bytes`"


class TooManyClustersError(FullError):
    """The receiver tracks the replicas of as many clusters as it may."""

    rule = "replicas of {limit} clusters are tracked and no more: raise `ingest.ha.max_clusters`"


class LogError(IngestError):
    """The write-ahead log cannot be written, so nothing can be acknowledged."""

    reason = "log"


class LogCorruptError(LogError):
    """A log segment is damaged before its end."""

    def __init__(self, path: str, offset: int) -> None:
        self.path, self.offset = path, offset
        super().__init__(
            f"log segment {path} is damaged at byte {offset}: its later records cannot be trusted; "
            "move the file away to start without them"
        )


class LogVersionError(LogError):
    """Another version wrote this log."""

    def __init__(self, path: str, version: int, known: int) -> None:
        self.version = version
        advice = (
            "a newer version wrote it: start that one"
            if version > known
            else "an older version wrote it: start and stop that one, which empties the log"
        )
        super().__init__(
            f"log segment {path} has format version {version}, this program knows {known}: {advice}"
        )


class LogLockedError(LogError):
    """Another process uses this log."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"log folder {folder} is used by another receiver: stop one of them")


class PositionTakenError(LogError):
    """Another process has committed under this receiver's name: its positions mean other rows."""

    def __init__(self, app: str, position: int, committed: int) -> None:
        self.app, self.position, self.committed = app, position, committed
        super().__init__(
            f"the lake has position {committed} of {app} already, but not from this process, "
            f"which is at {position}: stop both, and start one without the file `receiver-id`"
        )


class SourceError(IngestError):
    """A server that is fetched from did not answer as it should."""

    def __init__(self, url: str, problem: str) -> None:
        self.url, self.problem = url, problem
        super().__init__(f"source {url}: {problem}")


class ApiServerError(SourceError):
    """A Kubernetes API server answered, but not with what was asked for.

    Attributes:
        status: its HTTP status.
        retry_after: seconds it asks us to wait, if it does.
    """

    def __init__(
        self, url: str, status: int, problem: str, retry_after: float | None = None
    ) -> None:
        self.status, self.retry_after = status, retry_after
        super().__init__(url, f"status {status}: {problem}")


class AnswerTooLargeError(SourceError):
    """The source has more to say than it, or we, can take at once: ask for less."""
