"""ClickHouse in a process (chDB), asked over the very files of a lake."""

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from benchmarks.devops import Question
from lake import Lake

ARROW, JSON = "ArrowStream", "JSONCompact"


def asker(lake: Lake) -> Callable[[Question, str], bytes] | None:
    """What asks chDB a question and gives its answer in a format; None where it is not installed.

    It reads `samples` for all of them: of rollups it knows nothing.
    """
    if find_spec("chdb") is None:
        return None
    from chdb.session import Session  # noqa: PLC0415 - not in the lock, and large

    session = Session()
    session.query(f"SET max_threads = {os.cpu_count()}")  # as many as ours has
    tables = {name: _files(lake, name) for name in ("samples", "series")}

    def ask(question: Question, form: str) -> bytes:
        answer: Any = session.query(question.clickhouse.format(**tables), form)
        return bytes(answer.bytes())

    return ask


def rows(content: bytes) -> list[list[Any]]:
    """Rows of an answer as `JSON`: time in seconds or None, metric, host or None, value."""
    found: list[list[Any]] = json.loads(content)["data"]
    return found


def _files(lake: Lake, table: str) -> str:
    paths = [file.path for file in lake.snapshot().tables[table].files]
    listed = paths[0] if len(paths) == 1 else "{" + ",".join(paths) + "}"
    source = f"file('{listed}', Parquet)"
    if table == "samples":
        return source
    # A series has a row for each day on which it was seen.
    return f"(SELECT series_id, any(instance) AS instance FROM {source} GROUP BY series_id)"
