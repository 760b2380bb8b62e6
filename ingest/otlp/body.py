"""A remote-write body in the making: series with their samples, and descriptions of families."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import isnan

from google.protobuf.message_factory import GetMessageClass

from ingest.errors import UnsupportedSampleError
from ingest.otlp.limits import NO_LIMITS, Limits
from ingest.otlp.values import to_json
from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema

_WriteRequest, _Label = (
    GetMessageClass(schema.DESCRIPTOR.message_types_by_name[name])
    for name in ("WriteRequest", "Label")
)

Sample = tuple[str, Mapping[str, str], float]
"""A metric, what its series has beside the labels of its data point, a value."""


SAMPLE_BYTES = 18
"""Of a sample as it is serialised."""


SHORT, CACHED_LABELS = 128, 65_536
"""Labels of so few characters, name and value, are kept serialised: in all some 30 MB. Most are of
the resource, or come again with the next request; that saves a third of the time."""


class WriteBody:
    """Collects samples by series. A time that has a value keeps it.

    Labels are serialised sorted: the same series gives the same bytes, by which it is recognised.

    Args:
        limits: how large it may become, and what a series may have.

    Attributes:
        exemplars: of its samples, which are dropped.
        samples: all that it holds.
    """

    def __init__(self, limits: Limits = NO_LIMITS) -> None:
        self._limits = limits
        self._bytes = 0
        self._series: dict[bytes, tuple[list[bytes], dict[int, float]]] = {}
        self._families: dict[str, tuple[int, str, str]] = {}
        self.exemplars = 0
        self.samples = 0

    def __bool__(self) -> bool:
        return any(points for _, points in self._series.values())

    def describe(self, family: str, kind: int, text: str, unit: str) -> None:
        """Say what a family is; the first to say it counts."""
        self._families.setdefault(family, (kind, text, unit))

    def spend(self, size: int) -> None:
        """Count work that gives no sample; what is refused must not be free.

        Raises:
            BodyTooLargeError: there is too much already.
        """
        self._bytes += size
        self._limits.check_bytes(self._bytes)

    def add(self, labels: Mapping[str, str], time_ms: int, samples: Iterable[Sample]) -> None:
        """Add the samples of one data point: all or none.

        Raises:
            UnsupportedSampleError: a series has another value at that time already, or too many
                labels.
            BodyTooLargeError: there is too much in it already.
        """
        self._limits.check_bytes(self._bytes)
        base = [(name, _label(name, text)) for name, text in labels.items()]
        entries = []
        for metric, more, value in samples:
            own = {"__name__": metric, **more}
            pairs = [pair for pair in base if pair[0] not in own]
            pairs += [(name, _label(name, text)) for name, text in own.items()]
            self._limits.check_attributes(len(pairs))
            self._limits.check_value("__name__", metric)
            parts = [part for _, part in sorted(pairs)]
            key = b"".join(parts)
            if key not in self._series:
                self._series[key] = parts, {}
                self._bytes += len(key)
            points = self._series[key][1]
            known = points.get(time_ms)
            if known is not None and known != value and not (isnan(known) and isnan(value)):
                raise UnsupportedSampleError(
                    f"its series {to_json({**labels, **own})} has another value at {time_ms} ms: "
                    "two data points differ in nothing that becomes a label"
                )
            entries.append((points, value))
        for points, value in entries:
            self.samples += time_ms not in points
            points.setdefault(time_ms, value)
        self._bytes += SAMPLE_BYTES * len(entries)

    def packed(self) -> bytes:
        """The body, compressed as it goes over the wire."""
        request = _WriteRequest()
        for parts, points in self._series.values():
            if points:
                one = request.timeseries.add(labels=parts)
                for time_ms, value in points.items():
                    one.samples.add(timestamp=time_ms, value=value)
        if self.exemplars and request.timeseries:
            # Empty ones: nothing of them is stored, but the receiver counts them.
            request.timeseries[0].exemplars.extend([b""] * self.exemplars)
        for family, (kind, text, unit) in self._families.items():
            request.metadata.add(
                type=kind,
                metric_family_name=family.encode(),
                help=text.encode(),
                unit=unit.encode(),
            )
        return message.pack(request.SerializeToString())


def _label(name: str, text: str) -> bytes:
    return _short(name, text) if len(name) + len(text) <= SHORT else _serialised(name, text)


def _serialised(name: str, text: str) -> bytes:
    found: bytes = _Label(name=name.encode(), value=text.encode()).SerializeToString()
    return found


_short = lru_cache(CACHED_LABELS)(_serialised)
