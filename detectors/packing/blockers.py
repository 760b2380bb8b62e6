"""What keeps a node from being emptied."""

from enum import IntEnum


class Blocker(IntEnum):
    """The first thing that was in the way, in the order in which they are looked for."""

    NONE = 0
    NOT_ASKED = 1
    """It is no candidate: a control plane, a node that is cordoned or not ready."""
    BARE = 2
    """A pod without a controller: evicted, nothing starts it again."""
    LOCAL = 3
    """A pod whose data lie on the node."""
    BUDGET = 4
    """A disruption budget that allows no eviction."""
    RECEIVES = 5
    """It takes pods of nodes that are emptied before it."""
    NOWHERE = 6
    """No other node may take a pod, however much room it has."""
    SPREAD = 7
    """A pod would share a node or zone with more of its siblings than any does now."""
    ROOM = 8
    """A pod finds no node with room."""
    SPARE = 9
    """Without it, the pods of another node that fails would find no room."""
    LEAST = 10
    """So few nodes are to be left."""
