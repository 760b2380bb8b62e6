"""What a receiver may hold and accept."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field


class IngestSettings(BaseModel):
    """Limits and rhythm of a receiver."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_cluster: str | None = Field(
        None, description="cluster of data that names none; without it such data is refused"
    )
    max_body_bytes: int = Field(
        32 << 20, gt=0, description="largest request body, as sent and after decompression each"
    )
    max_future: timedelta = Field(
        timedelta(minutes=10), description="how far ahead of this machine's clock a sample may be"
    )
    max_buffered_samples: int = Field(
        4_000_000,
        gt=0,
        description="acknowledged samples that may wait for the lake; beyond it: 503",
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
