"""Options of an object store as settings: texts that are never shown."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, SecretStr


def _booleans_as_text(options: object) -> object:
    """YAML has made a boolean of `true`."""
    if not isinstance(options, dict):
        return options
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in options.items()
    }


StorageOptions = Annotated[dict[str, SecretStr], BeforeValidator(_booleans_as_text)]


def revealed(options: Mapping[str, SecretStr]) -> dict[str, str]:
    """As the lake takes them."""
    return {name: value.get_secret_value() for name, value in options.items()}
