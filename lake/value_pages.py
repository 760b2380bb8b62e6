"""The column chunk of float64 values, each page in the encoding that suits its metrics.

Three encodings of the standard, every one followed by zstd: values as they are (zstd then finds
values, and runs of values, that occurred before: counters at rest, buckets that move together);
their bytes in eight streams (noise with common leading bytes); numbers of a sorted dictionary
(few distinct values). Numbers of a dictionary take whole bytes here, although fewer bits would do:
zstd finds nothing in numbers that begin in the middle of a byte.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake import thrift
from lake.column_chunks import (
    CODEC,
    COMPRESSED,
    DATA_PAGE,
    DICTIONARY_PAGE,
    ENCODING_STATS,
    ENCODINGS,
    UNCOMPRESSED,
    ZSTD,
    Chunk,
)
from lake.thrift import Field, List, Struct

Bits = npt.NDArray[np.uint64]

PLAIN, RLE, RLE_DICTIONARY, BYTE_STREAM_SPLIT = 0, 3, 8, 9
_DATA, _DICTIONARY = 0, 2

LEVEL: Final = 19
"""Of zstd. 22 saves a thousandth more and takes twice the time; 9 takes 3 % more space."""

TRIAL_LEVEL: Final = 9
"""To compare encodings of one metric: a sixth of the time, and the same one wins."""

SWITCH_BYTES: Final = 200
"""What another encoding must save: zstd starts anew, and forgets what it knows, at each page."""


def encode(
    values: npt.NDArray[np.float64], bounds: Sequence[int], plain: Chunk, optional: bool
) -> Chunk:
    """The smallest chunk found for values.

    Args:
        values: float64[n], without nulls.
        bounds: where each metric begins, and n.
        plain: the same values in any chunk, for its statistics.
        optional: whether the column could have nulls.
    """
    bits = np.ascontiguousarray(values).view(np.uint64)
    whole = [_Run(0, len(bits), PLAIN)]
    mixed = _joined(_best(bits[start:end], start) for start, end in itertools.pairwise(bounds))
    # The second can be the larger: a metric by itself finds nothing in its neighbours.
    found = [_chunk(bits, runs, plain, optional) for runs in (whole, mixed)[: 1 + (mixed != whole)]]
    return min(found, key=lambda chunk: len(chunk.pages))


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring values, and the encoding that they are to have."""

    start: int
    end: int
    encoding: int


def _best(bits: Bits, start: int) -> _Run:
    """The encoding that is best for a metric by itself, where the difference is worth a page."""
    sizes = {PLAIN: bits.nbytes - SWITCH_BYTES}
    if sizes[PLAIN] > 0:
        sizes[PLAIN] = _trial(bits) - SWITCH_BYTES
    if sizes[PLAIN] > 0:
        sizes[BYTE_STREAM_SPLIT] = _trial(_streams(bits))
        distinct, numbers = np.unique(bits, return_inverse=True)
        sizes[RLE_DICTIONARY] = _trial(distinct) + _trial(_narrow(numbers, len(distinct)))
    return _Run(start, start + len(bits), min(sizes, key=lambda encoding: sizes[encoding]))


def _joined(runs: Iterable[_Run]) -> list[_Run]:
    """Neighbours of one encoding as one."""
    joined: list[_Run] = []
    for run in runs:
        if joined and joined[-1].encoding == run.encoding:
            joined[-1] = _Run(joined[-1].start, run.end, run.encoding)
        else:
            joined.append(run)
    return joined


def _chunk(bits: Bits, runs: Sequence[_Run], plain: Chunk, optional: bool) -> Chunk:
    numbered = [bits[run.start : run.end] for run in runs if run.encoding == RLE_DICTIONARY]
    distinct = np.unique(np.concatenate(numbered)) if numbered else bits[:0]
    pages = _Pages()
    if numbered:
        pages.add_dictionary(distinct)
    for run in runs:
        part = bits[run.start : run.end]
        levels = _no_nulls(len(part)) if optional else b""
        pages.add(len(part), run.encoding, levels + _body(part, run.encoding, distinct))
    return Chunk(bytes(pages.data), pages.metadata(plain.metadata))


def _body(bits: Bits, encoding: int, distinct: Bits) -> bytes:
    if encoding == PLAIN:
        return bits.tobytes()
    if encoding == BYTE_STREAM_SPLIT:
        return _streams(bits).tobytes()
    numbers = _narrow(np.searchsorted(distinct, bits), len(distinct))
    # One run of bit-packed numbers: the width, how many eights, and the last eight filled up.
    eights = -(-len(numbers) // 8)
    padding = bytes((eights * 8 - len(numbers)) * numbers.itemsize)
    head = bytes([numbers.itemsize * 8]) + thrift.varint(eights << 1 | 1)
    return head + numbers.tobytes() + padding


@dataclass
class _Pages:
    """Pages end to end, and what the chunk's metadata says of them."""

    data: bytearray = field(default_factory=bytearray)
    unpacked: int = 0
    first_data_page: int = 0
    counts: dict[tuple[int, int], int] = field(default_factory=dict)

    def add_dictionary(self, distinct: Bits) -> None:
        """The page before all others."""
        header = {1: Field(thrift.I32, len(distinct)), 2: Field(thrift.I32, PLAIN)}
        self._put(_DICTIONARY, PLAIN, 7, header, distinct.tobytes())
        self.first_data_page = len(self.data)

    def add(self, n: int, encoding: int, body: bytes) -> None:
        """A page of n values."""
        header = {
            1: Field(thrift.I32, n),
            2: Field(thrift.I32, encoding),
            3: Field(thrift.I32, RLE),
            4: Field(thrift.I32, RLE),
        }
        self._put(_DATA, encoding, 5, header, body)

    def _put(self, kind: int, encoding: int, number: int, header: Struct, body: bytes) -> None:
        packed = _zstd(body, LEVEL)
        head = thrift.encode(
            {
                1: Field(thrift.I32, kind),
                2: Field(thrift.I32, len(body)),
                3: Field(thrift.I32, len(packed)),
                number: Field(thrift.STRUCT, header),
            }
        )
        self.data += head + packed
        self.unpacked += len(head) + len(body)
        self.counts[kind, encoding] = self.counts.get((kind, encoding), 0) + 1

    def metadata(self, plain: Struct) -> Struct:
        """Metadata of the chunk, the rest of it as that of another chunk of the same values."""
        encodings = sorted({RLE, *(encoding for _, encoding in self.counts)})
        stats = [
            {1: Field(thrift.I32, kind), 2: Field(thrift.I32, encoding), 3: Field(thrift.I32, n)}
            for (kind, encoding), n in self.counts.items()
        ]
        rest = {number: each for number, each in plain.items() if number != DICTIONARY_PAGE}
        if self.first_data_page:
            rest[DICTIONARY_PAGE] = Field(thrift.I64, 0)
        return rest | {
            ENCODINGS: Field(thrift.LIST, List(thrift.I32, encodings)),
            CODEC: Field(thrift.I32, ZSTD),
            UNCOMPRESSED: Field(thrift.I64, self.unpacked),
            COMPRESSED: Field(thrift.I64, len(self.data)),
            DATA_PAGE: Field(thrift.I64, self.first_data_page),
            ENCODING_STATS: Field(thrift.LIST, List(thrift.STRUCT, stats)),
        }


def _no_nulls(n: int) -> bytes:
    """Definition levels: one run of n ones, behind its length."""
    run = thrift.varint(n << 1) + b"\x01"
    return len(run).to_bytes(4, "little") + run


def _streams(bits: Bits) -> npt.NDArray[np.uint8]:
    """All first bytes, then all second ones, and so on."""
    return np.ascontiguousarray(bits.view(np.uint8).reshape(-1, 8).T)


def _narrow(numbers: npt.NDArray[np.intp], n: int) -> npt.NDArray[np.unsignedinteger]:
    """Numbers below n in as few whole bytes as numpy has."""
    return numbers.astype(np.min_scalar_type(max(n - 1, 0)))


def _trial(data: npt.NDArray[np.unsignedinteger]) -> int:
    return len(_zstd(data.tobytes(), TRIAL_LEVEL))


def _zstd(data: bytes, level: int) -> bytes:
    packed: bytes = pa.Codec("zstd", compression_level=level).compress(data, asbytes=True)
    return packed
