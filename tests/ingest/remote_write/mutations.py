"""Runs every compiled kernel over mutated requests with numba's bounds checks on.

    NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=… python -m tests.ingest.remote_write.mutations SEED COUNT

The checks are compiled in, so this needs a process and a cache of its own. An access beyond an
array is an IndexError here; in the server it would read or write what is not ours. Ends with a line
that says how many were decoded and how many refused.
"""

import contextlib
import sys

import numpy as np

from ingest.buffer import sort
from ingest.catalogue import Catalogue
from ingest.compiled import compiled
from ingest.errors import IngestError
from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema
from ingest.remote_write.decode import decode
from ingest.rules import LabelLimits, Rules
from ingest.sender import Sender
from tests.remote_write_2 import Series, encode

LABELS = [("__name__", "up"), ("cluster", "eu"), ("instance", "10.0.0.1:9100"), ("job", "node")]
ODD = [0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x12, 0x22, 0x2A]
INSERT = [b"\xff" * 9 + b"\x01", b"\x80" * 10, b"\x0a\x00", b"\x12\x00", b"\x0a\xff\x7f"]


def corpus() -> list[tuple[int, bytes]]:
    labels = [message.encode_labels(LABELS), message.encode_labels(LABELS[:1]), []]
    counts = np.array([2, 1, 0])
    plain = message.build(labels, counts, np.arange(3), np.ones(3))
    made = schema.WriteRequest.FromString(plain)
    made.timeseries[1].histograms.append(b"\x08\x01\x78\x07")
    made.timeseries[0].exemplars.append(b"x")
    first, second = (b"\x0a" + bytes([len(one)]) + one for one in labels[0][:2])
    apart = first + b"\x12\x02\x10\x07" + second
    made.metadata.add(metric_family_name=b"up", type=1, help=b"h")
    newer = [
        Series(LABELS, [(1, 1.0, 1), (2, 2.0)], (1, "help", "unit"), exemplars=1, created=1),
        Series([*LABELS[:1], ("a" * 200, "b" * 300)], [(3, 1.0)], histograms=[b"\x08\x01\x78\x07"]),
    ]
    return [
        (1, plain),
        (1, made.SerializeToString()),
        (1, plain + b"\x0a" + bytes([len(apart)]) + apart),
        (2, encode(*newer)),
        (2, encode(*newer, packed=False)),
    ]


def mutated(rng: np.random.Generator, raw: bytes) -> bytes:
    """Bytes changed, cut, put in, repeated."""
    data = bytearray(raw)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, len(data) + 1))
        match int(rng.integers(0, 6)):
            case 0 if at < len(data):
                data[at] ^= 1 << int(rng.integers(0, 8))
            case 1 if at < len(data):
                data[at] = ODD[int(rng.integers(0, len(ODD)))]
            case 2:
                del data[at:]
            case 3:
                data[at:at] = INSERT[int(rng.integers(0, len(INSERT)))]
            case 4:
                del data[at : at + int(rng.integers(1, 9))]
            case _:
                data[at:at] = data[at : at + int(rng.integers(1, 30))]
    return bytes(data)


@compiled
def _beyond(data):
    return data[len(data)]


def check_that_checks_are_on() -> None:
    with contextlib.suppress(IndexError):
        _beyond(np.zeros(1, np.uint8))
        raise AssertionError("an access beyond an array is not seen")


def main(seed: int, count: int) -> None:
    check_that_checks_are_on()
    rng, whole = np.random.default_rng(seed), corpus()
    rules = [
        Rules(),
        Rules(sender=Sender("of-sender")),
        Rules(sender=Sender(None, frozenset({"eu"})), replica_label="job"),
        Rules(sender=Sender("c" * 300), labels=LabelLimits(3, 40, 200)),
    ]
    catalogue, decoded, refused = Catalogue(), 0, 0
    for number in range(count):
        version, raw = whole[number % len(whole)]
        data = raw if number < len(whole) else mutated(rng, raw)
        try:
            done = decode(
                np.frombuffer(data, np.uint8), catalogue, rules[number % 16 // 4], version
            )
        except IngestError:
            refused += 1
        except BaseException:
            sys.stderr.write(f"{seed} {number} {version} {data.hex()}\n")
            raise
        else:
            decoded, refused = decoded + (not done.cause), refused + bool(done.cause)
            sort(done.batch, catalogue)
            if done.payload is not None:
                decode(np.frombuffer(done.payload, np.uint8), catalogue, Rules(sender=Sender("x")))
    sys.stdout.write(f"{decoded} {refused}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
