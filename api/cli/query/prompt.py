"""The prompt of `fleetlake sql`: statements over several lines, history, a few words of its own."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from api.cli.query.asking import Done, Sink, ask
from api.cli.query.mistakes import shown
from api.cli.query.sources import Source
from api.cli.query.table import SchemaSink
from api.cli.terminal import err, out
from api.errors import ApiError
from lake.errors import LakeError, QueryCancelledError, QueryError
from lake.inspect import INSPECTED
from lake.views import identifier, view_names

try:
    import readline
except ImportError:  # not on Windows; a prompt without history then
    readline = None  # type: ignore[assignment]

PROMPT, MORE = "fleetlake> ", "      ...> "

HISTORY = ".fleetlake_history"
HISTORY_LINES = 2_000

HELP = """\
A query ends with a semicolon and may have several lines. Ctrl-C cancels it; Ctrl-D leaves.

  .tables           what can be queried
  .schema NAME      the columns of one of them
  .help             this
  .quit             leave"""

WITHOUT_TEXTS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""Texts, names in quotes and comments, in which a semicolon ends nothing."""


class Prompt:
    """Reads queries until there are no more.

    Args:
        source: whom to ask.
        sink: makes one that shows the rows, for each query.
        told: says how it went.
        read: gives the next line; EOFError ends it.
        home: the folder of the history.
    """

    def __init__(
        self,
        source: Source,
        sink: Callable[[], Sink],
        told: Callable[[Done], None],
        read: Callable[[str], str] = input,
        home: Path | None = None,
    ) -> None:
        self._source = source
        self._sink = sink
        self._told = told
        self._read = read
        self._history = (home or Path.home()) / HISTORY

    def run(self) -> None:
        """Until Ctrl-D or `.quit`."""
        err.print("[bold]fleetlake[/bold] SQL; .help says what else there is", markup=True)
        if readline is not None:
            readline.set_history_length(HISTORY_LINES)
            with suppress(OSError):
                readline.read_history_file(self._history)
        try:
            while (statement := self._statement()) is not None:
                if statement == ".quit":
                    return
                self._answer(statement)
        finally:
            if readline is not None:
                with suppress(OSError):
                    readline.write_history_file(self._history)

    def _statement(self) -> str | None:
        """The next query or word; None at the end."""
        lines: list[str] = []
        while True:
            try:
                line = self._read(MORE if lines else PROMPT)
            except EOFError:
                err.print()
                return None
            except KeyboardInterrupt:  # of what was typed, not of the shell
                err.print()
                lines = []
                continue
            if not lines and not line.strip():
                continue
            if not lines and line.strip().startswith("."):
                return line.strip()
            lines.append(line)
            if is_complete("\n".join(lines)):
                return "\n".join(lines)

    def _answer(self, statement: str) -> None:
        try:
            if not statement.startswith("."):
                self._told(ask(self._source, statement, self._sink()))
            else:
                self._obey(statement)
        except QueryCancelledError:
            err.print("cancelled")
        except (LakeError, ApiError) as error:
            err.print(shown(str(error)), soft_wrap=True)

    def _obey(self, statement: str) -> None:
        word, _, name = statement.partition(" ")
        name = name.strip().rstrip(";")
        if word == ".help":
            out.print(HELP)
        elif word == ".tables":
            out.print("\n".join(sorted({*view_names(), *INSPECTED})))
        elif word == ".schema" and name:
            # As a query: any source can answer it, and says what the caller may see.
            columns = f"SELECT * FROM {identifier(name)} LIMIT 0"  # noqa: S608 - a quoted name
            ask(self._source, columns, SchemaSink(out))
        else:
            raise QueryError(f"{statement} is unknown: .help says what there is")


def is_complete(text: str) -> bool:
    """Whether a statement ends here.

    >>> is_complete("SELECT 1;"), is_complete("SELECT ';'"), is_complete("SELECT 1; -- one")
    (True, False, True)
    """
    return WITHOUT_TEXTS.sub(" ", text).rstrip().endswith(";")
