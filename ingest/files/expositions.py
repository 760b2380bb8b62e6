"""Files of text: OpenMetrics, Prometheus' text format, and what `promtool tsdb dump` writes.

Every sample states its time. `# EOF` at the end says that it is OpenMetrics, with times in seconds;
without it times are milliseconds. A line of `promtool tsdb dump` is one of the text format whose
metric name stands among the labels.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from ingest.catalogue import Catalogue
from ingest.errors import ExpositionError
from ingest.files.chunk import CHUNK, Chunk, wrong_time
from ingest.samples import SampleBatch, joined
from ingest.scrape.exposition import NO_TIME, Exposition, Parser, line_of
from ingest.scrape.grammar import Labels
from ingest.series import identify
from lake.errors import FileFormatError

ENDINGS = (".om", ".openmetrics", ".prom", ".txt", ".dump")
"""Of names of such files; `.gz` may follow."""

OPENMETRICS_ENDINGS = (".om", ".openmetrics")

BLOCK_BYTES = 8 << 20
"""Text that is parsed at once; its lines take ten times that as Python objects."""

TAIL_BYTES = 64


def is_exposition(path: Path) -> bool:
    """Whether a file's name says that it is one."""
    return path.name.lower().removesuffix(".gz").endswith(ENDINGS)


class ExpositionReader:
    """Reads expositions in blocks of whole lines.

    Args:
        path: the file.
        catalogue: where its series get their numbers, and what it says of them goes.
        latest: a later time is wrong.
        cluster: cluster of series that name none.
        rows: samples of a chunk, about.

    Raises:
        FileFormatError: it cannot be read, or is OpenMetrics by its name and ends too early.
    """

    def __init__(
        self,
        path: Path,
        catalogue: Catalogue,
        latest: datetime,
        cluster: str | None = None,
        rows: int = CHUNK,
    ) -> None:
        self.lacking: set[str] = set()
        self._path = path
        self._catalogue = catalogue
        self._latest = latest
        self._cluster = cluster
        self._rows = rows
        self._parser = Parser(self._number)
        self._openmetrics = self._ends_as_openmetrics()
        named = path.name.lower().removesuffix(".gz").endswith(OPENMETRICS_ENDINGS)
        if named and not self._openmetrics:
            raise FileFormatError(str(path), "ends without # EOF: it is not whole")

    def chunks(self, skip: int) -> Iterator[Chunk]:
        """See `Reader`. The first `skip` lines are still parsed: they may describe the others."""
        parts: list[SampleBatch] = []
        n_samples = exemplars = done = 0
        for first, block, share in self._blocks():
            found = self._parse(block, first)
            done = first - 1 + block.count(b"\n")
            self._catalogue.describe(list(self._parser.metadata.values()), [self._cluster])
            kept = self._samples(found, block, first, skip)
            if len(kept):
                parts.append(kept)
                n_samples += len(kept)
                exemplars += found.exemplars
            if n_samples >= self._rows:
                yield Chunk(joined(parts), done, share, exemplars)
                parts, n_samples, exemplars = [], 0, 0
        yield Chunk(joined(parts), done, 1.0, exemplars)

    def _number(self, labels: Labels) -> int:
        if not labels.get("cluster"):
            self.lacking.add("cluster")
        return self._catalogue.number(identify(labels.items(), self._cluster))

    def _parse(self, block: bytes, first: int) -> Exposition[int]:
        try:
            return self._parser.parse(block, self._openmetrics, first)
        except ExpositionError as error:
            raise FileFormatError(str(self._path), str(error)) from error

    def _samples(self, found: Exposition[int], block: bytes, first: int, skip: int) -> SampleBatch:
        start = _samples_before(block, skip + 1 - first)
        time_ms = found.time_ms[start:]
        if (missing := time_ms == NO_TIME).any():
            number, line = line_of(block, first, start + int(np.argmax(missing)))
            raise FileFormatError(str(self._path), f"line {number} {_shown(line)} has no time")
        if (wrong := wrong_time(time_ms, self._latest)) is not None:
            place, rule = wrong
            number, line = line_of(block, first, start + place)
            raise FileFormatError(str(self._path), f"line {number} {_shown(line)} {rule}")
        numbers = np.array(found.series[start:], np.int32)
        return SampleBatch(numbers, time_ms, found.values[start:])

    def _blocks(self) -> Iterator[tuple[int, bytes, float]]:
        """Number of the first line, whole lines, and the share of the file read then."""
        first, rest = 1, b""
        size = max(1, self._path.stat().st_size)
        with self._open() as (file, raw):
            while block := file.read(BLOCK_BYTES):
                block = rest + block
                end = block.rfind(b"\n") + 1
                rest = block[end:]
                if end:
                    yield first, block[:end], min(1.0, raw.tell() / size)
                    first += block.count(b"\n", 0, end)
                elif len(rest) > BLOCK_BYTES:
                    raise FileFormatError(str(self._path), f"line {first} never ends")
        if rest:
            yield first, rest, 1.0

    def _ends_as_openmetrics(self) -> bool:
        tail = b""
        with self._open() as (file, raw):
            if file is raw:
                file.seek(-min(TAIL_BYTES, file.seek(0, SEEK_END)), SEEK_END)
            while block := file.read(BLOCK_BYTES):
                tail = (tail + block)[-TAIL_BYTES:]
        lines = tail.rstrip().splitlines()
        return bool(lines) and lines[-1].strip() == b"# EOF"

    @contextmanager
    def _open(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """The text, and the file that it is read from."""
        try:
            with self._path.open("rb") as raw:
                packed = self._path.name.lower().endswith(".gz")
                yield (cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw), raw
        except (OSError, EOFError, zlib.error) as error:
            raise FileFormatError(str(self._path), f"cannot be read: {error}") from error


def _samples_before(block: bytes, lines: int) -> int:
    """How many of a block's samples stand in its first `lines` lines."""
    if lines <= 0:
        return 0
    return sum(
        1 for line in block.split(b"\n")[:lines] if line.strip(b" \t\r") and line[:1] != b"#"
    )


def _shown(line: bytes) -> str:
    return repr(line[:120].decode(errors="replace"))
