"""Which end of slow calls is to blame.

A call that takes longer than its handling is slow between two entities, and both are seen to have
slow calls. The one to blame has them with everybody; the other has many calls that are as ever.
"""

from collections import defaultdict
from collections.abc import Iterable


def at_ends(calls: Iterable[tuple[str, str, float, float]]) -> dict[str, float]:
    """How much of the calls' excess is each entity's.

    It is the excess of all its calls times the *participation* of its calls in it: 1 where every
    call has the same excess, 1/n where it is one of n.

    Args:
        calls: caller, callee, how many, and the excess of each.

    >>> found = at_ends([("web", "cart", 100, 2.0), ("web", "ads", 300, 0.0)])
    >>> round(found["cart"]), round(found["web"])
    (200, 50)
    """
    number: dict[str, float] = defaultdict(float)
    total: dict[str, float] = defaultdict(float)
    squares: dict[str, float] = defaultdict(float)
    for caller, callee, count, excess in calls:
        for end in {caller, callee}:
            number[end] += count
            total[end] += count * excess
            squares[end] += count * excess * excess
    return {
        end: total[end] * total[end] ** 2 / (number[end] * squares[end]) if squares[end] else 0.0
        for end in number
    }
