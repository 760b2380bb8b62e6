"""Remote write 2.0 by protobuf's own encoder, from a descriptor built here: an oracle beside ours.

https://github.com/prometheus/prometheus/blob/main/prompb/io/prometheus/write/v2/types.proto, with
texts and histograms as bytes, so that tests can write what no sound sender would.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "io.prometheus.write.v2"

# Message -> field -> (number, type, repeated).
FIELDS = {
    "Sample": {
        "value": (1, "DOUBLE", False),
        "timestamp": (2, "INT64", False),
        "start_timestamp": (3, "INT64", False),
    },
    "Metadata": {
        "type": (1, "INT32", False),
        "help_ref": (3, "UINT32", False),
        "unit_ref": (4, "UINT32", False),
    },
    "TimeSeries": {
        "labels_refs": (1, "UINT32", True),
        "samples": (2, "Sample", True),
        "histograms": (3, "BYTES", True),
        "exemplars": (4, "BYTES", True),
        "metadata": (5, "Metadata", False),
        "created_timestamp": (6, "INT64", False),
    },
    "Request": {"symbols": (4, "BYTES", True), "timeseries": (5, "TimeSeries", True)},
}


def _messages(packed: bool) -> Any:
    file = FileDescriptorProto(name="v2.proto", package=PACKAGE, syntax="proto3")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for text, (number, kind, repeated) in fields.items():
            one = message.field.add(name=text, number=number)
            one.label = FieldDescriptorProto.Label.Value(
                "LABEL_REPEATED" if repeated else "LABEL_OPTIONAL"
            )
            if kind in FIELDS:
                one.type = FieldDescriptorProto.TYPE_MESSAGE
                one.type_name = f".{PACKAGE}.{kind}"
            else:
                one.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind}")
            if text == "labels_refs":
                one.options.packed = packed
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Request"))


Request: Any = _messages(packed=True)
UnpackedRequest: Any = _messages(packed=False)


@dataclass
class Series:
    """A series of a request.

    Attributes:
        labels: in the order sent.
        points: (ms, value) or (ms, value, ms when it began).
        about: type, help, unit.
    """

    labels: Sequence[tuple[str | bytes, str | bytes]]
    points: Sequence[tuple] = ()
    about: tuple[int, str, str] | None = None
    histograms: Sequence[bytes] = ()
    exemplars: int = 0
    created: int = 0
    refs: list[int] = field(default_factory=list)


def encode(*series: Series, packed: bool = True, symbols: Sequence[bytes] = (b"",)) -> bytes:
    """An uncompressed request; each text is a symbol once."""
    request = (Request if packed else UnpackedRequest)()
    places = {symbol: place for place, symbol in enumerate(symbols)}

    def ref(text: str | bytes) -> int:
        raw = text.encode() if isinstance(text, str) else text
        return places.setdefault(raw, len(places))

    for one in series:
        made = request.timeseries.add(created_timestamp=one.created)
        made.labels_refs.extend(one.refs or [ref(text) for pair in one.labels for text in pair])
        for at, value, *start in one.points:
            made.samples.add(timestamp=at, value=value, start_timestamp=start[0] if start else 0)
        made.histograms.extend(one.histograms)
        made.exemplars.extend([b"x"] * one.exemplars)
        if one.about is not None:
            kind, text, unit = one.about
            made.metadata.type = kind
            made.metadata.help_ref, made.metadata.unit_ref = ref(text), ref(unit)
    request.symbols.extend(places)
    return request.SerializeToString()
