"""How a store of objects is reached: options by name, else variables `AWS_…`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from pyarrow import fs

from lake.errors import StoreOptionError

DEFAULT_REGION = "us-east-1"
"""Other stores than Amazon's take any."""

RETRIES = {"max_retries": "5", "retry_timeout": "15s"}
"""A flush that fails is repeated anyway, and until then people are to be told."""

UNSAFE = {"s3_allow_unsafe_rename", "s3_locking_provider"}
"""Settings of delta-rs under which a commit may overwrite another's, or need a lock table."""


@dataclass(frozen=True)
class S3Options:
    """How a store is reached.

    Without keys, each library looks for the machine's or the pod's role by itself.

    Attributes:
        region: of the bucket.
        endpoint_url: of another store than Amazon's, as in `http://minio:9000`.
        access_key_id: with `secret_access_key`, who asks.
        secret_access_key: never shown.
        session_token: of keys that expire; never shown.
        virtual_hosted_style_request: the bucket's name is part of the host's.
    """

    region: str = DEFAULT_REGION
    endpoint_url: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    virtual_hosted_style_request: bool = False

    @classmethod
    def of(cls, options: Mapping[str, str], environment: Mapping[str, str]) -> Self:
        """Options by name, with or without `aws_` before it, in any case; else variables `AWS_…`.

        Raises:
            StoreOptionError: one is unknown, wrong or unsafe.
        """
        known = {
            name: environment[variable]
            for variable, name in VARIABLES.items()
            if environment.get(variable)
        }
        for name, value in options.items():
            known[_option(name, value)] = value
        for name in UNSAFE:
            if f"AWS_{name}".upper() in environment:
                raise StoreOptionError(f"AWS_{name}".upper(), UNSAFE_RULE)
        if ("access_key_id" in known) != ("secret_access_key" in known):
            raise StoreOptionError("access_key_id", "comes with secret_access_key, or not at all")
        endpoint = known.get("endpoint_url")
        if endpoint is not None and urlsplit(endpoint).scheme not in {"http", "https"}:
            raise StoreOptionError("endpoint_url", "begins with http:// or https://")
        virtual = known.pop("virtual_hosted_style_request", "false").lower()
        if virtual not in {"true", "false"}:
            raise StoreOptionError("virtual_hosted_style_request", "is true or false")
        return cls(**known, virtual_hosted_style_request=virtual == "true")

    def delta(self) -> dict[str, str]:
        """As delta-rs takes them."""
        given = {
            "aws_region": self.region,
            "aws_endpoint_url": self.endpoint_url,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "aws_session_token": self.session_token,
        }
        return {
            **{name: value for name, value in given.items() if value is not None},
            "aws_conditional_put": "etag",
            "aws_allow_http": str(self.plain_http).lower(),
            "aws_virtual_hosted_style_request": str(self.virtual_hosted_style_request).lower(),
            **RETRIES,
        }

    def arrow(self) -> fs.S3FileSystem:
        """Arrow's client."""
        return fs.S3FileSystem(
            access_key=self.access_key_id,
            secret_key=self.secret_access_key,
            session_token=self.session_token,
            region=self.region,
            endpoint_override=self.endpoint_url,
            force_virtual_addressing=self.virtual_hosted_style_request,
            allow_delayed_open=True,  # a small file is one request, not the three of a multipart
        )

    @property
    def plain_http(self) -> bool:
        """Whether the endpoint is not encrypted."""
        return urlsplit(self.endpoint_url or "").scheme == "http"


OPTIONS = frozenset(S3Options.__dataclass_fields__)

ALIASES = {"endpoint": "endpoint_url", "default_region": "region", "token": "session_token"}

VARIABLES = {
    "AWS_DEFAULT_REGION": "region",
    "AWS_REGION": "region",
    "AWS_ENDPOINT_URL": "endpoint_url",
    "AWS_ENDPOINT_URL_S3": "endpoint_url",
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
}
"""Of two for one option, the latter counts: the narrower one."""

UNSAFE_RULE = "lets writers overwrite each other's commits: remove it, the store's PUT decides"


def _option(name: str, value: object) -> str:
    plain = name.lower().removeprefix("aws_")
    plain = ALIASES.get(plain, plain)
    if plain in UNSAFE:
        raise StoreOptionError(name, UNSAFE_RULE)
    if plain not in OPTIONS:
        raise StoreOptionError(name, f"is unknown: there are {', '.join(sorted(OPTIONS))}")
    if not isinstance(value, str) or not value:
        raise StoreOptionError(name, "is a text, and not empty")
    return plain
