"""Where we fetch from: an HTTP server, what we show it, and how long we wait for it."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from ingest.errors import SourceError


class Endpoint(BaseModel):
    """What every source that is fetched over HTTP has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bearer_token: SecretStr | None = Field(None, description="sent as `Authorization: Bearer …`")
    bearer_token_file: Path | None = Field(
        None, description="file of the token, read anew for each request, for tokens that rotate"
    )
    ca_file: Path | None = Field(
        None, description="certificates (PEM) to trust instead of the system's"
    )
    insecure_skip_verify: bool = Field(False, description="take any certificate")
    timeout: timedelta = Field(
        timedelta(seconds=60), gt=timedelta(0), description="for one request"
    )

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.bearer_token is not None and self.bearer_token_file is not None:
            raise ValueError("bearer_token and bearer_token_file are both set: one of them")
        return self

    def authorization(self) -> dict[str, str]:
        """The headers that say who we are; none without a token.

        >>> Endpoint(bearer_token=SecretStr("t0ken")).authorization()
        {'Authorization': 'Bearer t0ken'}

        Raises:
            SourceError: the token's file cannot be read.
        """
        if self.bearer_token is not None:
            token = self.bearer_token.get_secret_value()
        elif self.bearer_token_file is not None:
            try:
                token = self.bearer_token_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SourceError(
                    str(self.bearer_token_file), f"no token can be read: {error}"
                ) from error
        else:
            return {}
        return {"Authorization": f"Bearer {token}"}

    def verify(self) -> ssl.SSLContext | bool:
        """How a client shall check certificates, as httpx takes it.

        Raises:
            SourceError: the file of certificates cannot be read.
        """
        if self.insecure_skip_verify:
            return False
        if self.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(self.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise SourceError(str(self.ca_file), f"no certificates: {error}") from error
