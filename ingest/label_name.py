"""A label's name, where a setting holds one."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from ingest.series import LABEL_NAME


def _checked(name: str) -> str:
    if not LABEL_NAME.match(name):
        raise ValueError(f"label name {name!r} is not [a-zA-Z_][a-zA-Z0-9_]*")
    return name


LabelName: TypeAlias = Annotated[str, AfterValidator(_checked)]
"""Text that is a label's name in the data model that is stored."""
