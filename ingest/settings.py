"""What a receiver may hold and accept."""

import hmac
from dataclasses import replace
from datetime import timedelta
from functools import partial

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ingest.bounds import Bounds
from ingest.errors import UnauthorizedError
from ingest.relabel import apply
from ingest.relabel_rule import RelabelRule
from ingest.replicas import HaSettings
from ingest.rules import Elect, LabelLimits, Rules
from ingest.sender import Sender
from lake.timerange import EPOCH


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
        timedelta(days=31),
        gt=timedelta(0),
        description="how old a sample or event may be that comes over the wire; null = any, to "
        "replay history. Each day in a flush costs a file. Pulls and imports have no such limit",
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
    max_samples_per_request: int = Field(
        1_000_000,
        gt=0,
        description="samples in one request, however few series; beyond it: 413",
    )
    max_labels: int = Field(
        128, gt=0, description="labels of one series; one with more is refused (400)"
    )
    max_label_name_bytes: int = Field(
        1024, gt=0, description="bytes of a label's name; a series with more is refused (400)"
    )
    max_label_value_bytes: int = Field(
        4096, gt=0, description="bytes of a label's value; a series with more is refused (400)"
    )
    max_series_per_cluster: int | None = Field(
        None,
        gt=0,
        description="active series of one cluster; new ones beyond it are refused (429), those "
        "that it has are taken; unset = as many as `max_series`",
    )
    forget_after: timedelta = Field(
        timedelta(hours=3),
        gt=timedelta(0),
        description="a series that brings nothing for so long is no longer active; it costs no "
        "memory until it comes back. Nothing is taken from the lake",
    )
    relabel: tuple[RelabelRule, ...] = Field(
        (),
        description="Prometheus' relabel_config, in order, for every series of every wire, once it "
        "has its cluster",
    )
    ha: HaSettings = Field(
        default_factory=HaSettings,
        description="pairs of Prometheus servers that send the same series",
    )
    max_series: int = Field(
        2_000_000,
        gt=0,
        description="active series at a time, at about 0.6 kB each; beyond it requests with new "
        "ones get 503, those of known ones are taken",
    )
    max_label_memory_bytes: int = Field(
        1 << 30,
        gt=0,
        description="memory that the labels of all active series may take; beyond it as "
        "`max_series`",
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

    def rules(self, sender: Sender, elect: Elect, now_us: int, *, stated: bool) -> Rules:
        """What a request is judged by that is received now."""
        now = EPOCH + timedelta(microseconds=now_us)
        return replace(
            self.replay_rules(sender, stated=stated),
            earliest=EPOCH if self.max_age is None else now - self.max_age,
            latest=now + self.max_future,
            bounds=Bounds(
                self.max_series_per_request,
                self.max_samples_per_request,
                self.max_metadata_per_request,
                self.max_body_bytes,
            ),
            labels=LabelLimits(
                self.max_labels, self.max_label_name_bytes, self.max_label_value_bytes
            ),
            elect=elect if self.ha.enabled else None,
            max_bytes=self.max_body_bytes,
            now_us=now_us,
        )

    def replay_rules(self, sender: Sender, *, stated: bool) -> Rules:
        """How a logged request is read again: what was acknowledged goes in, within any limits."""
        return Rules(
            sender=sender,
            stated=stated,
            relabel=partial(apply, self.relabel) if self.relabel else None,
            replica_label=self.ha.replica_label if self.ha.enabled else "",
        )
