"""What is wrong with a query, and where, in few lines."""

import re

from rich.text import Text

LINE = re.compile(r"\n+LINE (\d+): (.*)\n(\s*)\^", re.MULTILINE)

POINTED = len("LINE : ")


def shown(message: str) -> Text:
    r"""The engine's message with its place: line, column and a mark below the text.

    >>> print(shown('Parser Error: syntax error\n\nLINE 1: SELEC 1\n        ^'))
    error: Parser Error: syntax error (line 1, column 1)
      SELEC 1
      ^
    """
    found = LINE.search(message)
    if found is None:
        lines = [line.strip() for line in message.splitlines()]
        return _error(" ".join(line for line in lines if line.strip("^ ")))
    number, excerpt, indent = found[1], found[2], found[3]
    at = max(len(indent) - POINTED - len(number), 0)
    said = " ".join(message[: found.start()].split())
    # A long line comes cut at both ends: the column is that of the excerpt then.
    place = f"line {number}" if excerpt.startswith("...") else f"line {number}, column {at + 1}"
    text = _error(f"{said} ({place})")
    text.append(f"\n  {excerpt}\n  {' ' * at}")
    text.append("^", style="bold red")
    return text


def _error(said: str) -> Text:
    return Text.assemble(("error:", "bold red"), " ", said)
