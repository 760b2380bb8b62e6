"""Attribute values and numbers as text."""

import base64
import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

SMALLEST_PLAIN, LARGEST_PLAIN = 1e-6, 1e21
"""Between them JavaScript, and so OpenTelemetry, writes numbers without an exponent."""


def text_of(value: AnyValue) -> str:
    """A value as a label or a message has it: text as it is, structures as JSON, bytes in base64.

    >>> text_of(AnyValue(string_value="a")), text_of(AnyValue(bool_value=True)), text_of(AnyValue())
    ('a', 'true', '')
    """
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "double_value":
        return number_text(value.double_value)
    found = plain(value)
    if isinstance(found, str):
        return found
    return "" if found is None else to_json(found)


def plain(value: AnyValue) -> Any:
    """A value as JSON knows it."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            found = value.double_value
            return found if math.isfinite(found) else number_text(found)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "array_value":
            return [plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {one.key: plain(one.value) for one in value.kvlist_value.values}
    return None


def texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes as text by name; of a name that stands twice, the last counts."""
    return {one.key: text_of(one.value) for one in attributes}


def to_json(document: object) -> str:
    """Compact JSON whose keys are sorted: the same structure gives the same text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def number_text(number: float) -> str:
    """A number as OpenTelemetry writes it into text: an exponent only where it is far from 1.

    >>> [number_text(n) for n in (1.0, 0.25, 1e21, 1e-7, float("inf"))]
    ['1', '0.25', '1e+21', '1e-7', '+Inf']
    """
    if number and math.isfinite(number) and not SMALLEST_PLAIN <= abs(number) < LARGEST_PLAIN:
        return repr(number).replace("e-0", "e-")
    return bound_text(number)


def bound_text(number: float) -> str:
    """A bucket's bound or a quantile as Prometheus' OTLP receiver writes it: never an exponent.

    >>> [bound_text(n) for n in (5.0, 0.005, 1e16, 1e-7, -0.5, float("inf"))]
    ['5', '0.005', '10000000000000000', '0.0000001', '-0.5', '+Inf']
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return format(Decimal(repr(number)), "f").removesuffix(".0")
