"""A Prometheus server to pull from, as settings."""

from datetime import timedelta

from pydantic import Field, field_validator

from ingest.endpoint import Endpoint

SECOND = timedelta(seconds=1)


class PrometheusSource(Endpoint):
    """A Prometheus server to pull one cluster's metrics from."""

    cluster: str = Field(description="cluster of series that carry no `cluster` label")
    foreign: bool = Field(
        False,
        description="whether series that name another cluster are taken, as of a Thanos or Mimir "
        "that has several; otherwise they are left out, and told",
    )
    url: str = Field(description="base address, e.g. http://prometheus.monitoring:9090")
    match: tuple[str, ...] = Field(
        ('{__name__=~".+"}',),
        min_length=1,
        description="series selectors, as in /federate; each is a query of its own",
    )
    step: timedelta = Field(timedelta(seconds=30), description="resolution; the scrape interval")
    lookback: timedelta = Field(
        timedelta(hours=1), gt=timedelta(0), description="how far back the very first pull reaches"
    )
    settle: timedelta = Field(
        timedelta(seconds=15),
        ge=timedelta(0),
        description="what is younger is left for the next pull: a scrape is stored when it ends, "
        "under the time it began",
    )
    overlap: timedelta = Field(
        timedelta(minutes=5),
        ge=timedelta(0),
        description="how far behind the watermark a pull begins again, for samples that came late",
    )
    retries: int = Field(
        4, ge=0, description="how often a request that failed for a passing reason is repeated"
    )
    max_answer_bytes: int = Field(
        32 << 20,
        gt=0,
        description="largest answer, unpacked; a range with a larger one is asked for in parts",
    )

    @field_validator("step")
    @classmethod
    def _whole_seconds(cls, step: timedelta) -> timedelta:
        # The watermark counts seconds: a finer one would be pulled in part again.
        if step < SECOND or step % SECOND:
            raise ValueError(f"step {step.total_seconds():g} s is not a whole number of seconds")
        return step
