"""Who reads: everybody, or the holder of a token and what it lets him see."""

import base64
import binascii
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.dependencies import ServiceDep
from api.errors import CallerUnknownError
from orchestration.read_token import ReadToken


@dataclass(frozen=True, slots=True)
class Caller:
    """The reader of one request.

    Attributes:
        clusters: those that he may read; None = all.
    """

    clusters: frozenset[str] | None = None


EVERYBODY = Caller()


def identify(tokens: Sequence[ReadToken], authorization: str | None) -> Caller:
    """Who reads, by the `Authorization` header; without tokens, anybody may read all.

    >>> from pydantic import SecretStr
    >>> token = ReadToken(token=SecretStr("0123456789abcdef"), clusters=("eu-1",))
    >>> identify([token], "Bearer 0123456789abcdef")
    Caller(clusters=frozenset({'eu-1'}))

    Raises:
        CallerUnknownError: tokens are set, and this is none of them.
    """
    if not tokens:
        return EVERYBODY
    given = _given(authorization or "")
    # All are compared, in constant time each: how long it takes tells nothing.
    known = [
        one for one in tokens if hmac.compare_digest(one.token.get_secret_value().encode(), given)
    ]
    if not known:
        raise CallerUnknownError
    allowed: Collection[str] = known[0].clusters
    return EVERYBODY if allowed == "all" else Caller(frozenset(allowed))


def _given(authorization: str) -> bytes:
    """The token in the header: after Bearer, or as the password of Basic."""
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode()
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(credentials.strip(), validate=True)
        except (binascii.Error, ValueError):
            return b""
        return pair.partition(b":")[2]
    return b""


async def caller(connection: HTTPConnection, service: ServiceDep) -> Caller:
    """Who reads.

    Raises:
        CallerUnknownError: tokens are set, and the request has none of them.
    """
    return identify(service.settings.api.tokens, connection.headers.get("authorization"))


async def reads_all(connection: HTTPConnection, service: ServiceDep) -> bool:
    """Whether he may read of every cluster, where nobody is sent away: a stranger may not."""
    try:
        return (await caller(connection, service)).clusters is None
    except CallerUnknownError:
        return False


CallerDep = Annotated[Caller, Depends(caller)]
ReadsAllDep = Annotated[bool, Depends(reads_all)]
