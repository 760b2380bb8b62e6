"""A cluster whose API server is listened to, and how."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# Objects that controllers rewrite all day as locks or status boards: no one's configuration.
CHATTERING = r".*(-leader(-election)?|-lock|-status|-heartbeat)|kube-root-ca\.crt"

NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1123 labels, as Kubernetes has them."""


class KubernetesSource(BaseModel):
    """One cluster's API server.

    With neither `host` nor `kubeconfig` nor `context`, the service account of the pod we run in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str = Field(min_length=1, description="name of the cluster in the lake")
    kubeconfig: Path | None = Field(None, description="kubeconfig file to take access from")
    context: str | None = Field(None, description="context of the kubeconfig; unset = its current")
    host: str | None = Field(
        None, description="address of the API server, e.g. https://10.0.0.1:6443"
    )
    token_file: Path | None = Field(
        None, description="file of the bearer token for `host`, read anew for each request"
    )
    ca_file: Path | None = Field(None, description="certificates (PEM) to trust for `host`")
    namespaces: tuple[str, ...] = Field(
        (), description="namespaces to look at, without the nodes; unset = the whole cluster"
    )
    events: bool = Field(True, description="watch the cluster's Events")
    snapshot_every: timedelta | None = Field(
        timedelta(seconds=60),
        ge=timedelta(seconds=1),
        description="how often objects are looked at; null = never",
    )
    page_size: int = Field(500, gt=0, le=10_000, description="objects in one page of a list")
    list_timeout: timedelta = Field(
        timedelta(seconds=60), gt=timedelta(0), description="for one page of a list"
    )
    watch_timeout: timedelta = Field(
        timedelta(minutes=5),
        ge=timedelta(seconds=1),
        description="life of one watch; the next goes on where it ended",
    )
    watch_silence: timedelta = Field(
        timedelta(seconds=90),
        gt=timedelta(0),
        description="a watch that brings nothing this long, not even a bookmark, is taken for dead",
    )
    config_maps: bool = Field(
        True, description="notice changed ConfigMaps; their contents are not fetched"
    )
    ignore_config_maps: str = Field(
        CHATTERING, description="regular expression of names of ConfigMaps not to notice"
    )

    @field_validator("ignore_config_maps")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return pattern

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str | None) -> str | None:
        if host is not None and not host.startswith(("https://", "http://")):
            raise ValueError(f"host {host!r} begins with neither https:// nor http://")
        return host

    @field_validator("namespaces")
    @classmethod
    def _are_names(cls, namespaces: tuple[str, ...]) -> tuple[str, ...]:
        # They become parts of paths, of URLs and of files.
        for name in namespaces:
            if not NAMESPACE.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a namespace")
        if len(set(namespaces)) < len(namespaces):
            raise ValueError("a namespace is named twice")
        return namespaces

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.host is not None and (self.kubeconfig or self.context):
            raise ValueError("host and kubeconfig (or context) are both set: one of them")
        if self.host is None and (self.token_file or self.ca_file):
            raise ValueError("token_file and ca_file are for `host`, which is not set")
        return self
