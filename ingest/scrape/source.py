"""Targets to scrape, as settings."""

from datetime import timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ingest.endpoint import Endpoint
from ingest.series import LABEL_NAME

PORTS = {"http": 80, "https": 443}


class ScrapeSource(Endpoint):
    """A job of one cluster: targets that are scraped alike. Relabelling is the receiver's."""

    cluster: str = Field(min_length=1, description="cluster that the targets are of")
    job: str = Field(min_length=1, description="label `job` of every series")
    targets: tuple[str, ...] = Field(min_length=1, description="`host:port`, or whole addresses")
    scheme: Literal["http", "https"] = Field("http", description="of targets without one")
    path: str = Field("/metrics", pattern="^/", description="of targets that are `host:port`")
    interval: timedelta = Field(
        timedelta(seconds=30), gt=timedelta(0), description="time between scrapes of a target"
    )
    timeout: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(0), description="for a whole scrape"
    )
    labels: dict[str, str] = Field(default_factory=dict, description="added to every series")
    honor_labels: bool = Field(
        False,
        description="whether a target's own `job`, `instance`, `cluster` win over ours; otherwise "
        "they become `exported_job`, …",
    )
    honor_timestamps: bool = Field(True, description="whether times that a target states count")
    max_body_bytes: int = Field(
        32 << 20, gt=0, description="largest answer, unpacked; beyond it the scrape has failed"
    )
    max_samples: int = Field(
        200_000, gt=0, description="most samples of one scrape; beyond it the scrape has failed"
    )

    @field_validator("targets")
    @classmethod
    def _each_once(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(targets)) < len(targets):
            raise ValueError("a target stands twice")
        return targets

    @field_validator("labels")
    @classmethod
    def _names(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if not LABEL_NAME.match(name) or name.startswith("__"):
                raise ValueError(f"{name!r} is no name of a label")
            if name in {"job", "cluster"}:
                raise ValueError(f"{name!r} is a setting of its own")
        return labels

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.timeout > self.interval:
            raise ValueError(f"timeout {self.timeout} is longer than interval {self.interval}")
        by_instance: dict[str, str] = {}
        for target in self.targets:
            _, instance = self.address(target)
            other = by_instance.setdefault(instance, target)
            if other != target:
                raise ValueError(
                    f"targets {other!r} and {target!r} are both instance {instance!r}: "
                    "give one of them a job of its own"
                )
        return self

    def address(self, target: str) -> tuple[str, str]:
        """The URL of a target, and its label `instance`.

        >>> source = ScrapeSource(cluster="eu", job="node", targets=("10.0.0.1:9100",))
        >>> source.address("10.0.0.1:9100")
        ('http://10.0.0.1:9100/metrics', '10.0.0.1:9100')
        >>> source.address("https://kiosk/probe?module=x")
        ('https://kiosk/probe?module=x', 'kiosk:443')

        Raises:
            ValueError: it is no address.
        """
        url = target if "://" in target else f"{self.scheme}://{target}{self.path}"
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or parts.username is not None:
            raise ValueError(f"target {target!r} is neither `host:port` nor an HTTP address")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return url, f"{host}:{parts.port or PORTS[parts.scheme]}"
