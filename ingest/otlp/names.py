"""Names: of metrics, units and attributes, as Prometheus' translator makes them.

The rules are those of https://github.com/prometheus/otlptranslator with suffixes and escaping
(`UnderscoreEscapingWithSuffixes`), which is what a Prometheus does with OTLP by default.
"""

import re
from functools import lru_cache

from ingest.errors import UnsupportedSampleError

UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",  # not "tebibytes": it is what Prometheus has always written
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
"""UCUM's short forms in words, as the translator knows them; others stay as they are."""

PER_UNITS = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
"""What stands after the slash; there `m` is a minute."""

_TOKEN = re.compile(r"[a-zA-Z0-9:]+")
_NOT_IN_UNIT = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_DIGITS = frozenset("0123456789")

CACHED_NAMES = 16_384
"""More than the metrics, or attribute names, of a large fleet; each takes about 200 bytes."""

CACHED_CHARACTERS = 256
"""Longer names are made anew each time: no sender has them, and a cache of them would grow to
gigabytes. OpenTelemetry's own limit for a metric is 255."""


def metric_name(name: str, unit: str, *, counter: bool = False, gauge: bool = False) -> str:
    """The family's name, with the suffixes that unit and kind ask for.

    >>> metric_name("http.server.request.duration", "s")
    'http_server_request_duration_seconds'
    >>> metric_name("requests", "{request}/s", counter=True)
    'requests_per_second_total'
    >>> metric_name("cpu.utilization", "1", gauge=True)
    'cpu_utilization_ratio'

    Args:
        name: OpenTelemetry's.
        unit: in UCUM.
        counter: it is a monotonic sum.
        gauge: it is a gauge (a sum that can fall is none, to this rule).

    Raises:
        UnsupportedSampleError: nothing is left of the name.
    """
    short = len(name) + len(unit) <= CACHED_CHARACTERS
    return (_cached_metric_name if short else _metric_name)(name, unit, counter, gauge)


def _metric_name(name: str, unit: str, counter: bool, gauge: bool) -> str:
    tokens = _TOKEN.findall(name)
    if not tokens:
        raise UnsupportedSampleError("its name has no letter or digit of ASCII")
    main, per = _unit_words(unit)
    tokens += [word for word in (main, per) if word and word not in tokens]
    if counter:
        tokens = [*(token for token in tokens if token != "total"), "total"]  # noqa: S105
    if unit == "1" and gauge:
        tokens = [*(token for token in tokens if token != "ratio"), "ratio"]  # noqa: S105
    joined = "_".join(tokens)
    return f"_{joined}" if joined[0] in _DIGITS else joined


_cached_metric_name = lru_cache(CACHED_NAMES)(_metric_name)


def unit_name(unit: str) -> str:
    """The unit in words, as metadata has it.

    >>> [unit_name(unit) for unit in ("By/s", "1", "{packet}", "1/min")]
    ['bytes_per_second', '', '', 'per_min']
    """
    return (_cached_unit if len(unit) <= CACHED_CHARACTERS else _unit)(unit)


def _unit(unit: str) -> str:
    return "_".join(word for word in _unit_words(unit) if word)


_cached_unit = lru_cache(CACHED_NAMES)(_unit)


def _unit_words(unit: str) -> tuple[str, str]:
    main, _, per = (part.strip() for part in unit.partition("/"))
    # Braces hold a remark ("{packet}"), not a unit.
    words = "" if "{" in main or "}" in main else _clean(UNITS.get(main, main))
    after = "" if "{" in per or "}" in per else _clean(PER_UNITS.get(per, per))
    return words, f"per_{after}" if after else ""


def _clean(unit: str) -> str:
    return _NOT_IN_UNIT.sub("_", unit).strip("_")


def label_name(attribute: str) -> str:
    """The label that an attribute becomes.

    >>> [label_name(name) for name in ("http.method", "1st", "_private", "a..b", "__kept")]
    ['http_method', 'key_1st', 'key_private', 'a__b', '__kept']

    Raises:
        UnsupportedSampleError: nothing is left of the name.
    """
    return (_cached_label if len(attribute) <= CACHED_CHARACTERS else _label)(attribute)


def _label(attribute: str) -> str:
    name = _NOT_IN_LABEL.sub("_", attribute)
    if not name.strip("_"):
        raise UnsupportedSampleError(
            f"attribute {attribute[:100]!r}: its name has no letter or digit of ASCII"
        )
    if name[0] in _DIGITS:
        return f"key_{name}"
    if name[0] == "_" and name[1] != "_":
        return f"key{name}"
    return name


_cached_label = lru_cache(CACHED_NAMES)(_label)
