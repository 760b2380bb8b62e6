"""Advice on the size of each container: CPU and memory, each an advice of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings, PriceSettings
from orchestration.steps.advice.advice import Advice, Number
from orchestration.steps.advice.rightsizing import evidence
from orchestration.steps.advice.rightsizing.facts import Facts, gather
from orchestration.steps.advice.rightsizing.quantities import bytes_text, cores_text
from orchestration.steps.advice.rightsizing.sizes import Sizes, cpu_sizes, memory_sizes
from orchestration.steps.advice.rightsizing.unknown import cpu_reasons, memory_reasons, silent
from orchestration.steps.advice.rightsizing.usage import Used

Bool = npt.NDArray[np.bool_]

CPU_KIND, MEMORY_KIND = "container_cpu", "container_memory"

LESS_RISK = 0.01
"""So much less of it is worth an advice, however little else changes."""

FORGOTTEN_DAYS = 1.0
"""What has not been seen for longer, nothing is said of."""


@dataclass(frozen=True, slots=True)
class Resource:
    """How one of the two is called.

    Attributes:
        kind: of the advice.
        name: for people.
        request, limit: names of the figures, with their units.
        text: an amount for people.
    """

    kind: str
    name: str
    request: str
    limit: str
    text: Callable[[float | None], str]


CPU_RESOURCE = Resource(CPU_KIND, "CPU", "cpu_request_cores", "cpu_limit_cores", cores_text)
MEMORY_RESOURCE = Resource(
    MEMORY_KIND, "memory", "memory_request_bytes", "memory_limit_bytes", bytes_text
)
SIDECAR = "sidecar"
"""In `current` of a sidecar, which stands among the init containers of a template."""

HPA, HPA_TARGET = "hpa", "hpa_target_utilization_percent"


def advise(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> Sequence[Advice]:
    """Requests and limits of all containers that could be better, or of which that is unknown.

    A container that is well as it is gets no advice.
    """
    facts = gather(snapshot, now, settings)
    if facts is None:
        return []
    own = settings.rightsizing
    cpu, memory = cpu_sizes(facts, own), memory_sizes(facts, own)
    of_cpu = _advice(facts, facts.cpu, cpu, cpu_reasons(facts, cpu, own), CPU_RESOURCE, settings)
    of_memory = _advice(
        facts, facts.memory, memory, memory_reasons(facts, memory, own), MEMORY_RESOURCE, settings
    )
    return [*of_cpu, *of_memory]


def _advice(
    facts: Facts,
    of: Used,
    sizes: Sizes,
    reasons: Sequence[str],
    what: Resource,
    settings: AdviceSettings,
) -> Sequence[Advice]:
    better = sizes.differs(settings.rightsizing.least_change)
    better |= np.nan_to_num(sizes.now_risk) - np.nan_to_num(sizes.risk) > LESS_RISK
    forgotten = facts.unseen_days(of) > FORGOTTEN_DAYS
    names = facts.inventory.containers
    given = better & ~forgotten & np.array([not reason for reason in reasons], dtype=np.bool_)
    targets = _hpa_targets(facts, sizes, given, what)
    nothing_told = silent(facts, of)
    found = []
    for one, name in enumerate(names.iter_rows(named=True)):
        if forgotten[one] or not (reasons[one] or better[one]):
            continue
        if reasons[one]:
            said = _abstained(name, sizes, one, reasons[one], what)
            found.append(replace(said, silent=bool(nothing_told[one])))
            continue
        advice = _proposed(name, facts, of, sizes, one, what, settings.prices)
        if one in targets:
            before, after = targets[one]
            scaler = facts.scaled.name[one]
            by = {} if scaler is None else {HPA: scaler}
            advice = replace(
                advice,
                current={**advice.current, **by, HPA_TARGET: before},
                proposed={**advice.proposed, **by, HPA_TARGET: after},
            )
        found.append(advice)
    return found


def entity_of(name: Mapping[str, str | None]) -> str:
    """What an advice is about, unique in its cluster."""
    return f"{name['namespace']}/{name['workload']}/{name['container']}"


def _about(name: Mapping[str, str | None], what: Resource, said: str, reason: str) -> Advice:
    entity = entity_of(name)
    return Advice(
        name["cluster"] or "",
        what.kind,
        entity,
        f"{what.name} of {entity} in {name['cluster']}: {said}",
        reason,
        namespace=name["namespace"],
        workload=name["workload"],
        workload_kind=name["workload_kind"],
        container=name["container"],
    )


def _abstained(
    name: Mapping[str, str | None], sizes: Sizes, one: int, reason: str, what: Resource
) -> Advice:
    current = _figures(what, sizes.now_request[one], sizes.now_limit[one])
    return replace(_about(name, what, reason, reason), current=current, abstained=True)


def _proposed(
    name: Mapping[str, str | None],
    facts: Facts,
    used: Used,
    sizes: Sizes,
    one: int,
    what: Resource,
    prices: PriceSettings,
) -> Advice:
    is_cpu = what.kind == CPU_KIND
    saving = float(sizes.saving[one])
    cost = None
    if prices.known:
        cost = prices.month(saving, 0.0) if is_cpu else prices.month(0.0, saving)
    said = _changes(sizes, one, what, int(facts.set_now.pods[one]))
    return replace(
        _about(name, what, said, evidence.reason(facts, sizes, one, is_cpu)),
        current={
            **_figures(what, sizes.now_request[one], sizes.now_limit[one]),
            **({SIDECAR: True} if name["sidecar"] else {}),
        },
        proposed=_figures(what, sizes.request[one], sizes.limit[one]),
        evidence=evidence.of(facts, used, sizes, one, is_cpu),
        saving_cpu_cores=saving if is_cpu else None,
        saving_memory_bytes=None if is_cpu else saving,
        saving_cost=cost,
        risk=float(sizes.risk[one]),
        current_risk=float(sizes.now_risk[one]),
        confidence=float(sizes.confidence[one]),
    )


def _figures(what: Resource, request: float, limit: float) -> dict[str, Number]:
    return {
        what.request: None if np.isnan(request) else float(request),
        what.limit: None if np.isnan(limit) else float(limit),
    }


def _changes(sizes: Sizes, one: int, what: Resource, pods: int) -> str:
    def text(value: float) -> str:
        return what.text(None if np.isnan(value) else float(value))

    changes = [
        f"{which} {text(before)} → {text(after)}"
        for which, before, after in (
            ("request", sizes.now_request[one], sizes.request[one]),
            ("limit", sizes.now_limit[one], sizes.limit[one]),
        )
        if not (before == after or (np.isnan(before) and np.isnan(after)))
    ]
    said = ", ".join(changes)
    saving = float(sizes.saving[one])
    in_pods = f" in {pods} pod{'' if pods == 1 else 's'}"
    if saving > 0.0:
        return f"{said}; saves {what.text(saving)}{in_pods}"
    if saving < 0.0:
        return f"{said}; needs {what.text(-saving)} more{in_pods}"
    return said


def _hpa_targets(
    facts: Facts, sizes: Sizes, given: Bool, what: Resource
) -> dict[int, tuple[float, float]]:
    """Targets of autoscalers, now and with the requests that are proposed.

    A target is in per cent of what all containers of a pod request, so that all of them count:
    those of which nothing is advised, as they are.
    """
    if what.kind != CPU_KIND:
        return {}
    key = ["cluster", "namespace", "workload", "workload_kind"]
    rows = facts.inventory.containers.select("index", *key)
    rows = rows.with_columns(
        pl.Series("target", facts.scaled.cpu),
        pl.Series("before", np.nan_to_num(sizes.now_request)),
        pl.Series("after", np.nan_to_num(np.where(given, sizes.request, sizes.now_request))),
    ).filter(pl.col("target").is_finite())
    rows = rows.with_columns(
        (pl.col("before").sum().over(key) / pl.col("after").sum().over(key)).alias("ratio")
        # Of nothing that is requested there is no share.
    ).filter(pl.col("ratio").is_finite(), pl.col("ratio") > 0.0)
    return {
        one: (target, max(1.0, float(round(target * ratio))))
        for one, target, ratio in rows.select("index", "target", "ratio").iter_rows()
    }
