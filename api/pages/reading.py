"""Reading the lake for the page: in a thread, a failure as text."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from nicegui import run

from api.problems import status_of

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for people."""

    text: str


async def attempt(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Problem:
    """Read in a thread; a failure becomes text on the page, and a stack trace only in the log."""
    try:
        result = await run.io_bound(read, *args, **kwargs)
    except Exception as error:
        _, title = status_of(error)
        if title == "internal error":
            logger.exception("page could not be read")
        return Problem(f"{title}: {error}")
    # NiceGUI gives None while it shuts down.
    return Problem("the server is stopping") if result is None else result
