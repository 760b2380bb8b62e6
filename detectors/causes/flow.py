"""What an entity's callees do not explain: the symptom followed down the call graph.

Time and failures are conserved. If callers wait 40 s longer a minute in all, and what they call
takes 40 s longer a minute in all, then the callers are not the cause; a callee that is slower still
but is called twice a day is not either. So deviations are compared after they are multiplied by how
often they happen, and each entity keeps what its callees do not account for.

Following a graph to the most upstream anomalous entity is the same with every size taken for one;
it is led astray by whatever is odd nearby.
"""

from collections.abc import Iterable, Mapping

LEAK = 0.02
"""Share of its own excess that an entity keeps even where callees explain all of it: they may be
known but by part."""


def unexplained(
    excess: Mapping[str, float], calls: Mapping[str, Iterable[str]], symptom: str
) -> dict[str, float]:
    """Share of the symptom's excess that each entity, reached from it, keeps for itself.

    Args:
        excess: of each entity in the symptom's direction, times how often it happens; none below 0.
        calls: whom each entity calls.
        symptom: where the incident is seen.

    Returns:
        Shares that sum to 1, of entities that are reached through others with an excess; empty
        where none is.

    >>> shares = unexplained({"web": 43.0, "pay": 46.0, "db": 0.0}, {"web": ["pay", "db"]}, "web")
    >>> {name: round(share, 2) for name, share in shares.items()}
    {'web': 0.02, 'pay': 0.98}
    """
    reached: dict[str, float] = {}
    ahead = [symptom]
    while ahead:
        here = ahead.pop()
        if here in reached:
            continue
        callees = [one for one in dict.fromkeys(calls.get(here, ())) if one != here]
        own = excess.get(here, 0.0)
        below = sum(excess.get(one, 0.0) for one in callees)
        reached[here] = max(own - below, LEAK * own)
        ahead += [one for one in callees if excess.get(one, 0.0) > 0.0]
    total = sum(reached.values())
    return {one: kept / total for one, kept in reached.items()} if total > 0.0 else {}
