"""A token that lets its holder read, and of which clusters."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ReadToken(BaseModel):
    """Sent as a bearer token, or as the password where a browser asks for one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = Field(
        min_length=16,
        description="sent as `Authorization: Bearer …`, or as the password of any user",
    )
    clusters: tuple[str, ...] | Literal["all"] = Field(
        min_length=1, description="clusters that its holder may read, or `all`"
    )
