"""One advice: what is, what is proposed, what that saves and risks, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import xxhash

Number = float | int | str | bool | None
"""What is told under a name; a figure's unit is in its name, as `cpu_request_cores`."""

Numbers = Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that an advice rests on.

    Attributes:
        what: what was seen, as "95 % of minutes used at most".
        value: how much.
        unit: of the value, as `cores`, `bytes`, `share`, `times`; empty where it has none.
        over: of which time, as "14 days to 2026-11-30T12:00Z".
        metric: where it was read; None = it was worked out.
    """

    what: str
    value: Number
    unit: str = ""
    over: str | None = None
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What an adviser says of one thing.

    Attributes:
        cluster: of which.
        kind: what it is about, as `container_cpu`; each kind is of one adviser.
        entity: what it is about, unique within cluster and kind, as `shop/cart/app`.
        title: the whole of it in a sentence for people, with figures.
        reason: why; where `abstained`, why nothing can be proposed.
        current: what is set now; names as in `proposed`, None = it is not set.
        proposed: what should be; empty where `abstained`.
        evidence: what it rests on.
        namespace, workload, workload_kind, container, node: what it is about, as columns.
        saving_cpu_cores, saving_memory_bytes, saving_gpus: what becomes free of what is requested,
            in the whole of the cluster; negative where more is needed. Of a node that could be
            emptied, what it has.
        saving_cost: of that, a month, by the settings' prices.
        risk: share of past minutes, 0 to 1, that would have been throttled or killed.
        current_risk: the same of what is set now.
        confidence: 0 to 1.
        abstained: whether nothing can be proposed.
        silent: where `abstained`, whether that is only because nothing is told of it at the moment:
            what was proposed before may well hold.
    """

    cluster: str
    kind: str
    entity: str
    title: str
    reason: str
    current: Numbers = field(default_factory=dict)
    proposed: Numbers = field(default_factory=dict)
    evidence: Sequence[Evidence] = ()
    namespace: str | None = None
    workload: str | None = None
    workload_kind: str | None = None
    container: str | None = None
    node: str | None = None
    saving_cpu_cores: float | None = None
    saving_memory_bytes: float | None = None
    saving_gpus: float | None = None
    saving_cost: float | None = None
    risk: float | None = None
    current_risk: float | None = None
    confidence: float | None = None
    abstained: bool = False
    silent: bool = False

    @property
    def advice_id(self) -> str:
        """The same for the same thing at any time, whatever is proposed.

        >>> Advice("c1", "container_cpu", "shop/cart/app", "…", "…").advice_id
        '3194223a83f6f171635424991505c16d'
        """
        key = "\x1e".join((self.cluster, self.kind, self.entity))
        return xxhash.xxh3_128_hexdigest(key.encode())


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of an advice.

    Attributes:
        applied: whether what it proposed is what is set now.
        effect: of an advice that was applied before, what came of it: `predicted` and `measured`,
            each name to figure, and what else is to be told; None = nothing can be told yet.
        holds: whether what is said of the same thing now is not heeded, and it stays what it is: of
            one that was applied, since that may rest on the time before; of any, since what it is
            about is not told of at the moment.
    """

    applied: bool
    effect: Mapping[str, object] | None = None
    holds: bool = False
