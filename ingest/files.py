"""Import of Parquet and CSV files of samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import xxhash

from ingest import direct
from ingest.catalogue import Catalogue
from ingest.errors import InvalidLabelsError
from ingest.samples import SampleBatch
from ingest.series import identify
from lake import CommitKey, Lake
from lake.errors import FileFormatError
from lake.external import read_samples

HASH_BLOCK_BYTES = 1 << 20

# A column of ours beside the file's: a leading double underscore keeps clear of its names.
NUMBER = "__series"


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file brought; `samples` is 0 where the lake had it already."""

    path: Path
    samples: int
    series: int


def import_file(
    lake: Lake,
    path: Path,
    *,
    latest: datetime,
    cluster: str | None = None,
    metric: str | None = None,
) -> Imported:
    """Bring a file into the lake in one commit; a file that is in the lake already adds nothing.

    Columns: `timestamp` (or `time`), `value`; `metric` (or `__name__`) unless `metric` is given;
    every other text column is a label. Rows without a value are left out.

    Args:
        lake: where it goes.
        path: a Parquet or CSV file.
        latest: samples after this are refused, and with them the file.
        cluster: cluster of rows that name none.
        metric: metric name of all rows, for files without such a column.

    Raises:
        FileFormatError: a column is missing, or a time is wrong.
        InvalidLabelsError, ClusterMissingError: a row breaks the data model.
    """
    frame = pl.DataFrame(read_samples(path)).drop_nulls("value")
    if frame["timestamp"].null_count():
        raise FileFormatError(str(path), f"{frame['timestamp'].null_count()} rows have no time")
    newest = frame["timestamp"].max()
    if isinstance(newest, datetime) and newest > latest:
        raise FileFormatError(
            str(path),
            f"a row is of {newest.isoformat()}, the latest accepted is {latest.isoformat()}",
        )
    labels = [name for name, kind in frame.schema.items() if kind in (pl.String, pl.Categorical)]
    if metric is None and not {"metric", "__name__"} & set(labels):
        raise FileFormatError(str(path), "has no column 'metric', and no metric name was given")
    catalogue = Catalogue()
    batch = _batch(frame, labels, catalogue, cluster, metric)
    app = f"import-{_digest(path)}-{cluster or ''}-{metric or ''}"
    added = direct.append(lake, catalogue, batch, CommitKey(app, 1))
    return Imported(path, added, len(catalogue))


def _batch(
    frame: pl.DataFrame,
    labels: list[str],
    catalogue: Catalogue,
    cluster: str | None,
    metric: str | None,
) -> SampleBatch:
    if labels:
        sets = frame.select(labels).unique(maintain_order=True).with_row_index(NUMBER)
        frame = frame.join(sets, on=labels, how="left", nulls_equal=True, maintain_order="left")
        distinct = sets.select(labels).to_dicts()
    else:
        frame = frame.with_columns(pl.lit(0).alias(NUMBER))
        distinct = [{}]
    numbers = [catalogue.number(identify(_named(row, metric).items(), cluster)) for row in distinct]
    return SampleBatch(
        np.array(numbers, np.int32)[frame[NUMBER].to_numpy()],
        frame["timestamp"].dt.epoch("ms").to_numpy(),
        frame["value"].to_numpy(),
    )


def _named(row: Mapping[str, str | None], metric: str | None) -> dict[str, str]:
    labels = {name: value for name, value in row.items() if value}
    column = labels.pop("metric", None)
    name = metric or labels.get("__name__") or column
    if not name:
        raise InvalidLabelsError(labels, "the row has no metric name")
    return {**labels, "__name__": name}


def _digest(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
