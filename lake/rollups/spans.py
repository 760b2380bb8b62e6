"""Sets of time as sorted, disjoint, half-open spans of microseconds since 1970."""

from collections.abc import Iterable

Span = tuple[int, int]
Spans = tuple[Span, ...]

ALL_TIME: Spans = ((-(1 << 62), 1 << 62),)


def union(spans: Iterable[Span]) -> Spans:
    """The spans in order, those that touch made one.

    >>> union([(5, 7), (0, 2), (2, 3)])
    ((0, 3), (5, 7))
    """
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return tuple(joined)


def intersection(spans: Spans, other: Spans) -> Spans:
    """What lies in both.

    >>> intersection(((0, 3), (5, 7)), ((2, 6),))
    ((2, 3), (5, 6))
    """
    found: list[Span] = []
    i = j = 0
    while i < len(spans) and j < len(other):
        start, end = max(spans[i][0], other[j][0]), min(spans[i][1], other[j][1])
        if start < end:
            found.append((start, end))
        if spans[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def difference(spans: Spans, other: Spans) -> Spans:
    """What lies in the first and not in the second.

    >>> difference(((0, 10),), ((2, 3), (8, 12)))
    ((0, 2), (3, 8))
    """
    edge = ALL_TIME[0][0]
    gaps: list[Span] = []
    for start, end in other:
        if edge < start:
            gaps.append((edge, start))
        edge = end
    if edge < ALL_TIME[0][1]:
        gaps.append((edge, ALL_TIME[0][1]))
    return intersection(spans, tuple(gaps))


def aligned(spans: Iterable[Span], width: int) -> Spans:
    """The buckets of this width that the spans touch.

    >>> aligned([(1, 2), (9, 11)], 5)
    ((0, 15),)
    """
    return union(
        (start // width * width, -(-end // width) * width) for start, end in spans if start < end
    )


def coarsened(spans: Spans, most: int) -> Spans:
    """At most so many spans that cover these, the smallest gaps closed.

    >>> coarsened(((0, 1), (2, 3), (9, 10)), 2)
    ((0, 3), (9, 10))
    """
    if len(spans) <= most:
        return spans
    gaps = sorted(range(1, len(spans)), key=lambda i: spans[i][0] - spans[i - 1][1])
    closed = set(gaps[: len(spans) - most])
    joined = [spans[0]]
    for i, span in enumerate(spans[1:], start=1):
        if i in closed:
            joined[-1] = (joined[-1][0], span[1])
        else:
            joined.append(span)
    return tuple(joined)
