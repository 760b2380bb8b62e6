"""One pass over a remote-write 2.0 message: the same arrays as `scan` gives for 1.0.

Version 2 names a series by numbers into a table of strings that the request brings. They are
written out as version 1 would have sent them, so that a series has one key whichever version
names it. https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
"""

import numpy as np

from ingest.bounds import Bounds
from ingest.compiled import compiled
from ingest.errors import BodyTooLargeError, MalformedBodyError, TooManyEntriesError
from ingest.protobuf import BYTES, FIXED64, VARINT, field, fixed64, varint
from ingest.protobuf_out import put_varint, varint_size
from ingest.remote_write.scan import Bytes, Scan

# Field numbers of io.prometheus.write.v2.Request and below.
_SYMBOLS, _SERIES = 4, 5
_REFS, _SAMPLES, _HISTOGRAMS, _EXEMPLARS, _METADATA, _CREATED = 1, 2, 3, 4, 5, 6
_VALUE, _TIMESTAMP, _START = 1, 2, 3
_TYPE, _HELP, _UNIT = 1, 3, 4

_NAME_TAG, _VALUE_TAG, _LABEL_TAG = 0x0A, 0x12, 0x0A

_BAD_REF, _ODD_REFS, _BAD_SAMPLE, _FIRST_SYMBOL = 1, 2, 3, 4
_PROBLEMS = {
    _BAD_REF: "a label refers to a symbol that is not there",
    _ODD_REFS: "a series has an odd number of references to symbols: they are pairs",
    _BAD_SAMPLE: "a sample, a description or a list of references is none",
    _FIRST_SYMBOL: "the first symbol is not the empty string",
}


@compiled
def _count(data):
    """Symbols, series, samples, histograms, exemplars, references; -1 symbols = malformed."""
    symbols = series = samples = histograms = exemplars = refs = 0
    at, end = 0, len(data)
    while at < end:
        number, kind, start, at = field(data, at, end)
        if at < 0 or (number in (_SYMBOLS, _SERIES) and kind != BYTES):
            return -1, 0, 0, 0, 0, 0
        symbols += number == _SYMBOLS
        if number != _SERIES:
            continue
        series += 1
        inner = start
        while inner < at:
            sub, sub_kind, content, inner = field(data, inner, at)
            if inner < 0 or (_SAMPLES <= sub <= _METADATA and sub_kind != BYTES):
                return -1, 0, 0, 0, 0, 0
            samples += sub == _SAMPLES
            exemplars += sub == _EXEMPLARS
            histograms += sub == _HISTOGRAMS
            if sub == _REFS:
                # A reference is a byte at least.
                refs += inner - content if sub_kind == BYTES else 1
    return symbols, series, samples, histograms, exemplars, refs


@compiled
def _references(data, at, end, refs, used):
    """Read packed references into `refs` from `used` on; how many there are then, or -1."""
    while at < end:
        ref, at = varint(data, at, end)
        if at < 0 or ref > np.uint64(0x7FFFFFFF):
            return -1
        refs[used] = np.int32(ref)
        used += 1
    return used


@compiled
def _sample(data, at, end):
    """A sample's time, value bits and start, and whether it is one."""
    time, start_ms, bits = np.int64(0), np.int64(0), np.uint64(0)
    while at < end:
        number, kind, start, at = field(data, at, end)
        if at < 0:
            return time, bits, start_ms, False
        if number == _VALUE:
            if kind != FIXED64:
                return time, bits, start_ms, False
            bits = fixed64(data, start)
        elif number in (_TIMESTAMP, _START):
            if kind != VARINT:
                return time, bits, start_ms, False
            read = np.int64(varint(data, start, at)[0])
            if number == _TIMESTAMP:
                time = read
            else:
                start_ms = read
    return time, bits, start_ms, True


@compiled
def _describe(data, at, end, family):
    while at < end:
        number, kind, start, at = field(data, at, end)
        if at < 0:
            return False
        if number in (_TYPE, _HELP, _UNIT):
            if kind != VARINT:
                return False
            read = np.int64(varint(data, start, at)[0])
            family[0 if number == _TYPE else number - 2] = read
    return True


@compiled
def _fill(data, symbols, refs, bounds, counts, time_ms, bits, start_ms, histograms, families):  # noqa: C901, PLR0912
    """Fill the arrays; references of series `i` are `refs[bounds[i]:bounds[i + 1]]`."""
    n_symbols = series = samples = n_histograms = used = 0
    at, end = 0, len(data)
    while at < end:
        number, _, start, at = field(data, at, end)
        if number == _SYMBOLS:
            symbols[n_symbols, 0], symbols[n_symbols, 1] = start, at
            n_symbols += 1
        if number != _SERIES:
            continue
        before, inner, created = samples, start, np.int64(0)
        while inner < at:
            sub, kind, content, inner = field(data, inner, at)
            if sub == _REFS:
                if kind not in (BYTES, VARINT):
                    return _BAD_SAMPLE
                used = _references(data, content, inner, refs, used)
                if used < 0:
                    return _BAD_REF
            elif sub == _SAMPLES:
                time_ms[samples], bits[samples], start_ms[samples], sound = _sample(
                    data, content, inner
                )
                if not sound:
                    return _BAD_SAMPLE
                samples += 1
            elif sub == _HISTOGRAMS:
                histograms[n_histograms, 0] = series
                histograms[n_histograms, 1], histograms[n_histograms, 2] = content, inner
                n_histograms += 1
            elif sub == _METADATA:
                if not _describe(data, content, inner, families[series]):
                    return _BAD_SAMPLE
            elif sub == _CREATED and kind == VARINT:
                # As senders of the first drafts say it, for all samples of the series.
                created = np.int64(varint(data, content, inner)[0])
        for index in range(before, samples):
            if start_ms[index] == 0:
                start_ms[index] = created
        counts[series] = samples - before
        series += 1
        bounds[series] = used
        if (bounds[series] - bounds[series - 1]) % 2:
            return _ODD_REFS
    return 0


@compiled
def _label_bytes(symbols, refs):
    """How many bytes the labels take when written out, or -1 if a reference leads nowhere."""
    total = 0
    for index in range(0, len(refs), 2):
        if refs[index] >= len(symbols) or refs[index + 1] >= len(symbols):
            return -1
        name = symbols[refs[index], 1] - symbols[refs[index], 0]
        value = symbols[refs[index + 1], 1] - symbols[refs[index + 1], 0]
        inner = 2 + varint_size(name) + name + varint_size(value) + value
        total += 1 + varint_size(inner) + inner
    return total


@compiled
def _write_out(data, symbols, refs, bounds, out, starts, ends):
    """Write each series' labels as fields of version 1."""
    at = 0
    for series in range(len(starts)):
        starts[series] = at
        for index in range(bounds[series], bounds[series + 1], 2):
            name_at, name_end = symbols[refs[index], 0], symbols[refs[index], 1]
            value_at, value_end = symbols[refs[index + 1], 0], symbols[refs[index + 1], 1]
            name, value = name_end - name_at, value_end - value_at
            out[at] = _LABEL_TAG
            at = put_varint(out, at + 1, 2 + varint_size(name) + name + varint_size(value) + value)
            out[at] = _NAME_TAG
            at = put_varint(out, at + 1, name)
            out[at : at + name] = data[name_at:name_end]
            at += name
            out[at] = _VALUE_TAG
            at = put_varint(out, at + 1, value)
            out[at : at + value] = data[value_at:value_end]
            at += value
        ends[series] = at


def scan(data: Bytes, bounds: Bounds) -> Scan:
    """Find everything in an uncompressed `io.prometheus.write.v2.Request`.

    Raises:
        MalformedBodyError: it is no such message.
        BodyTooLargeError: it holds more than it may.
    """
    n_symbols, n_series, n_samples, n_histograms, n_exemplars, n_refs = _count(data)
    if n_symbols < 0:
        raise MalformedBodyError("body is no io.prometheus.write.v2.Request")
    bounds.check(n_series, n_samples + n_histograms, 0)
    if n_symbols > bounds.samples:
        raise TooManyEntriesError(n_symbols, bounds.samples, "symbols")
    symbols = np.empty((n_symbols, 2), np.int64)
    refs, borders = np.empty(n_refs, np.int32), np.zeros(n_series + 1, np.int64)
    counts = np.empty(n_series, np.int64)
    time_ms, start_ms = np.empty(n_samples, np.int64), np.empty(n_samples, np.int64)
    values = np.empty(n_samples, np.float64)
    histograms = np.empty((n_histograms, 3), np.int64)
    families = np.zeros((n_series, 3), np.int64)
    problem = _fill(
        data, symbols, refs, borders, counts, time_ms, values.view(np.uint64), start_ms,
        histograms, families,
    )  # fmt: skip
    if not problem and n_series and (n_symbols == 0 or symbols[0, 0] != symbols[0, 1]):
        problem = _FIRST_SYMBOL
    refs = refs[: borders[-1]]
    size = -1 if problem else _label_bytes(symbols, refs)
    if size < 0:
        raise MalformedBodyError(
            f"body is no io.prometheus.write.v2.Request: {_PROBLEMS[problem or _BAD_REF]}"
        )
    if size > bounds.label_bytes:
        # A long symbol can be referred to for ever.
        raise BodyTooLargeError(size, bounds.label_bytes, "labels, written out,")
    written = np.empty(size, np.uint8)
    starts, ends = np.empty(n_series, np.int64), np.empty(n_series, np.int64)
    _write_out(data, symbols, refs, borders, written, starts, ends)
    return Scan(
        data=written,
        label_starts=starts,
        label_ends=ends,
        counts=counts,
        time_ms=time_ms,
        values=values,
        start_ms=start_ms if start_ms.any() else None,
        histograms=histograms,
        metadata=np.empty((0, 2), np.int64),
        families=families,
        exemplars=n_exemplars,
        body=data,
        symbols=symbols,
    )
