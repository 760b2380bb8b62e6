"""Import of files of samples, each in commits that an interrupted import goes on behind.

A commit carries the file's digest and how many of its rows or lines are done. A file that is too
large for one commit is read twice: first all of it is checked, so that a file with a mistake in it
is refused whole, and adds nothing that its corrected version would bring again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice, product
from pathlib import Path

import xxhash

from ingest import direct
from ingest.catalogue import Catalogue
from ingest.files.chunk import CHUNK, Chunk, Reader
from ingest.files.expositions import ENDINGS, ExpositionReader, is_exposition
from ingest.files.tables import TableReader
from lake import CommitKey, Lake
from lake.errors import FileFormatError
from lake.external import READERS

HASH_BLOCK_BYTES = 1 << 20

FINISHED = 1 << 62
"""Position of a file's last commit: more than the rows of any file."""

CHECK_SHARE = 0.3
"""How much of the time of a large file goes into checking it, about."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file brought.

    Attributes:
        path: the file.
        samples: samples added; 0 where the lake had it already.
        series: series they are of.
        resumed: rows or lines that an interrupted import had brought before.
        exemplars: exemplars that were dropped.
    """

    path: Path
    samples: int
    series: int
    resumed: int = 0
    exemplars: int = 0


def import_file(
    lake: Lake,
    path: Path,
    *,
    latest: datetime,
    cluster: str | None = None,
    metric: str | None = None,
    told: Callable[[float], None] = lambda share: None,
    rows: int = CHUNK,
) -> Imported:
    """Bring a file into the lake; a file, or a part of it, that is there already adds nothing.

    Columns of Parquet and CSV: `timestamp` (or `time`), `value`; `metric` (or `__name__`) unless
    `metric` is given; every other column is a label. Rows without a value are left out.
    Expositions: see `ingest.files.expositions`.

    Args:
        lake: where it goes.
        path: the file; its name's ending says what it is.
        latest: samples after this are refused, and with them the file.
        cluster: cluster of rows that name none.
        metric: metric name of rows that name none.
        told: is called with the share that is done.
        rows: samples of a commit, about; memory grows with it.

    Raises:
        FileFormatError: the file is no such file, or a row of it is wrong; nothing was added.
        InvalidLabelsError, ClusterMissingError: a row breaks the data model; nothing was added.
    """
    catalogue = Catalogue()
    reader = _reader(path, catalogue, latest, cluster, metric, rows)
    digest = _digest(path)
    known, done = _begun(lake, digest, cluster, metric)
    if done >= FINISHED:
        told(1.0)
        return Imported(path, 0, 0)
    chunks, base = reader.chunks(done), 0.0
    begun = list(islice(chunks, 2))
    if len(begun) > 1 and known is None:
        for chunk in chain(begun, chunks):
            told(CHECK_SHARE * chunk.share)
        chunks, base, begun = reader.chunks(0), CHECK_SHARE, []
    # All of the file was read by now, or an import of it has begun.
    app = known or _app(
        digest,
        cluster if "cluster" in reader.lacking else None,
        metric if "metric" in reader.lacking else None,
    )
    samples = exemplars = 0
    for chunk, last in _with_last(chain(begun, chunks)):
        key = CommitKey(app, FINISHED if last else chunk.done)
        samples += direct.append(lake, catalogue, chunk.batch, key)
        exemplars += chunk.exemplars
        told(base + (1.0 - base) * chunk.share)
    return Imported(path, samples, len(catalogue), done, exemplars)


def _app(digest: str, cluster: str | None, metric: str | None) -> str:
    """Under which name a file's commits are: with what its rows needed, and nothing else."""
    return f"import-{digest}-{cluster or ''}-{metric or ''}"


def _begun(
    lake: Lake, digest: str, cluster: str | None, metric: str | None
) -> tuple[str | None, int]:
    """The name and position of an import of these very series, whatever its rows needed."""
    for app in {_app(digest, *given) for given in product((cluster, None), (metric, None))}:
        done = lake.samples.committed_position(app)
        if done is not None:
            return app, done
    return None, 0


def _reader(
    path: Path,
    catalogue: Catalogue,
    latest: datetime,
    cluster: str | None,
    metric: str | None,
    rows: int,
) -> Reader:
    if not is_exposition(path):
        if not path.name.lower().endswith(tuple(READERS)):
            raise FileFormatError(str(path), f"is not one of {', '.join((*READERS, *ENDINGS))}")
        return TableReader(path, catalogue, latest, cluster, metric, rows)
    if metric is not None:
        raise FileFormatError(str(path), "names its metrics itself: give no metric name for it")
    return ExpositionReader(path, catalogue, latest, cluster, rows)


def _with_last(chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, bool]]:
    """Each chunk, and whether it is the last."""
    held = next(chunks, None)
    for chunk in chunks:
        if held is not None:
            yield held, False
        held = chunk
    if held is not None:
        yield held, True


def _digest(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
