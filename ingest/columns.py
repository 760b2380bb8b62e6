"""What a flush needs of the catalogue: arrays by series number."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Columns:
    """Per series number, what `samples` rows of it hold; the names of clusters and metrics by code.

    `cluster_rank` and `metric_rank` give the place of a code's name in the order of names.
    """

    clusters: pa.Array
    cluster_code: Numbers
    cluster_rank: Ints
    metrics: pa.Array
    metric_code: Numbers
    metric_rank: Ints
    series_id: Ints
