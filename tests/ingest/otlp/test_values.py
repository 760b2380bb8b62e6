"""Values as text, as OpenTelemetry's `AsString` writes them."""

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ingest.otlp.values import bound_text, number_text, text_of


def value(document):
    return json_format.ParseDict(document, AnyValue())


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"stringValue": "text"}, "text"),
        ({"boolValue": True}, "true"),
        ({"intValue": "-9007199254740993"}, "-9007199254740993"),
        ({"doubleValue": 3.5}, "3.5"),
        ({"doubleValue": 3.0}, "3"),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"doubleValue": "-Infinity"}, "-Inf"),
        ({"bytesValue": "aGk="}, "aGk="),
        ({}, ""),
        ({"arrayValue": {}}, "[]"),
        ({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": 1}, {}]}}, '["a",1,null]'),
        (
            {
                "kvlistValue": {
                    "values": [
                        {"key": "b", "value": {"bytesValue": "aGk="}},
                        {"key": "a", "value": {"arrayValue": {"values": [{"boolValue": False}]}}},
                    ]
                }
            },
            '{"a":[false],"b":"aGk="}',
        ),
    ],
)
def test_text_of(document, expected):
    assert text_of(value(document)) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_as_themselves(number):
    assert float(number_text(number)) == number
    assert float(bound_text(number)) == number
    assert "e" not in bound_text(number)
