"""What a receiver may hold and accept."""

import hmac
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ingest.errors import UnauthorizedError
from ingest.sender import Sender


class Token(BaseModel):
    """A bearer token, and the clusters that its holder may send data of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = Field(min_length=16, description="sent as `Authorization: Bearer …`")
    clusters: tuple[str, ...] = Field(
        min_length=1,
        description="clusters it may name; if one, that of data that names none",
    )


class IngestSettings(BaseModel):
    """Limits and rhythm of a receiver."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_cluster: str | None = Field(
        None, description="cluster of data that names none; without it such data is refused"
    )
    tokens: tuple[Token, ...] = Field(
        (), description="who may send, and of which clusters; unset = anyone, of any"
    )
    max_body_bytes: int = Field(
        32 << 20, gt=0, description="largest request body, as sent and after decompression each"
    )
    max_future: timedelta = Field(
        timedelta(minutes=10), description="how far ahead of this machine's clock a sample may be"
    )
    max_age: timedelta | None = Field(
        None,
        gt=timedelta(0),
        description="how old a sample or event may be that comes over the wire; unset = any, so "
        "that history can be replayed. Each day in a flush costs a file: live fleets set P31D",
    )
    max_series_per_request: int = Field(
        100_000,
        gt=0,
        description="series in one request; beyond it: 413. Senders put 2,000 to 10,000 into one",
    )
    max_metadata_per_request: int = Field(
        10_000,
        gt=0,
        description="descriptions of metrics in one request; beyond it: 413. Prometheus sends "
        "2,000",
    )
    max_series: int = Field(
        2_000_000,
        gt=0,
        description="series known at a time, at about 1 kB each; beyond it requests with new ones "
        "get 503, those of known ones are taken",
    )
    max_buffered_samples: int = Field(
        4_000_000,
        gt=0,
        description="samples in flight, or acknowledged and waiting for the lake; beyond it: 503",
    )
    flush_samples: int = Field(
        500_000, gt=0, description="flush when this many samples wait, before the time is up"
    )
    flush_every: timedelta = Field(
        timedelta(seconds=8),
        description="flush at least this often; with the flush itself, data is visible within 10 s",
    )
    log_segment_bytes: int = Field(
        64 << 20, gt=0, description="size at which a write-ahead log segment is closed"
    )

    def sender(self, authorization: str | None, cluster: str | None) -> Sender:
        """Who sends, by the `Authorization` header and the cluster that the request names.

        Raises:
            UnauthorizedError: tokens are set, and this is none of them.
            ClusterForbiddenError: the token does not allow the cluster.
        """
        if not self.tokens:
            return Sender(cluster)
        scheme, _, given = (authorization or "").partition(" ")
        # All are compared, in constant time each: how long it takes tells nothing.
        known = [
            one
            for one in self.tokens
            if hmac.compare_digest(one.token.get_secret_value().encode(), given.strip().encode())
        ]
        if scheme.lower() != "bearer" or not known:
            raise UnauthorizedError
        allowed = known[0].clusters
        sender = Sender(cluster or (allowed[0] if len(allowed) == 1 else None), frozenset(allowed))
        if sender.cluster is not None:
            sender.check(sender.cluster)
        return sender
