"""This package's own errors; `api/problems.py` says how all are told over HTTP.

* ApiError
  * ServerError           the server cannot listen, or did not start
  * CallerUnknownError    the request has no token that lets it read
  * CallerForbiddenError  the token is of some clusters, and the answer would be of all
  * RemoteError           a server that was asked did not answer as it should
  * OutputError           rows cannot be written where they are to go
  * NotAcceptableError    the client takes none of the formats that there are
  * TooManyQueriesError   no slot became free for a SQL query
  * ManyQuestionsError    other questions of placement were before it
  * SlowBodyError         a request's body took too long to come
"""

from collections.abc import Sequence


class ApiError(Exception):
    """Base of all errors of this package."""


class ServerError(ApiError):
    """The server cannot listen, or did not start."""


class CallerUnknownError(ApiError):
    """Reading needs a token, and the request has none that is known."""

    def __init__(self) -> None:
        super().__init__(
            "no known token: send `Authorization: Bearer …` with one of `api.tokens`, "
            "or it as the password"
        )


class CallerForbiddenError(ApiError):
    """What is asked for tells of all clusters, and the token is of some."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path[:200]} tells of all clusters and this token is of some: "
            "use the routes below /api/v1, or a token of all"
        )


class RemoteError(ApiError):
    """A fleetlake server that the terminal asks cannot be reached, or refuses."""

    def __init__(self, url: str, rule: str) -> None:
        self.url = url
        self.rule = rule
        super().__init__(f"{url}: {rule}")


class OutputError(ApiError):
    """Rows cannot be written to the file or terminal that was named."""


class NotAcceptableError(ApiError):
    """The request's Accept leaves no format."""

    def __init__(self, accept: str, offered: Sequence[str]) -> None:
        self.accept = accept
        self.offered = tuple(offered)
        super().__init__(
            f"Accept {accept[:200]!r} names no format that there is: send one of "
            f"{', '.join(offered)}"
        )


class TooManyQueriesError(ApiError):
    """Other SQL queries held every slot for as long as one may wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"no SQL query ended within {seconds:g} s, the longest that one waits: try again"
        )


class ManyQuestionsError(ApiError):
    """Questions of where to place a job are answered one at a time, and others were before it."""

    def __init__(self, seconds: float, most: int) -> None:
        self.seconds = seconds
        self.most = most
        super().__init__(
            f"other questions of placement are being answered: one waits {seconds:g} s at most, "
            f"and no more than {most} do: ask again"
        )


class SlowBodyError(ApiError):
    """A body took longer to come than it may: its sender, or the way from it, was too busy.

    Not a 408: senders of metrics drop what gets a 4xx.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"body took longer than {seconds:g} s: send it again, in smaller batches")
