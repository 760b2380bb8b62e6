"""Two consoles and a progress bar: results go to standard output, everything else to error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="FLEETLAKE_CONFIG",
        show_envvar=False,
        help="Settings file. [default: fleetlake.yaml if there is one]",
    ),
]

# A pipe has no width of its own; tables are made for a wide terminal.
PIPE_WIDTH = 140

out = Console(highlight=False)
if not out.is_terminal:
    out.width = PIPE_WIDTH
err = Console(stderr=True, highlight=False)


def plain(text: str) -> str:
    r"""A stranger's text for a console: as it is, but for what would steer the terminal.

    >>> plain("cart [red]\x1b[31m")
    'cart \\[red]?[31m'
    """
    return escape("".join(one if one.isprintable() else "?" for one in text))


@contextmanager
def progress(text: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error; call what it gives with the share done, 0 to 1."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(text, total=1.0)
        yield lambda share: bar.update(task, completed=share)
        bar.update(task, completed=1.0)
