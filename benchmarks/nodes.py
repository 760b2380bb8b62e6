"""Emptying nodes: a made-up cluster, its plan, and what no plan could do better.

    uv run python benchmarks/nodes.py [--nodes 5000] [--pods 100000]

The bound is the share of capacity that is requested, headroom left out: no packing keeps less, and
none may exist that keeps so little. Times are CPU seconds of this process, compiled before.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from detectors.packing import Nodes, Plan, Pods, Rules, empty

HEADROOM = (0.1, 0.1, 0.0)
ZONES = 3


def cluster(nodes: int, pods: int, use: float, seed: int = 1) -> tuple[Nodes, Pods]:
    """Nodes of two sizes in three zones, workloads of some five replicas, a tenth with volumes."""
    rng = np.random.default_rng(seed)
    large = rng.random(nodes) < 0.3
    allocatable = np.where(large[:, None], [[32.0, 128.0, 110.0]], [[16.0, 64.0, 110.0]])
    groups = max(pods // 5, 1)
    group = rng.integers(0, groups, pods)
    size, lean = rng.lognormal(0.0, 0.8, groups), rng.lognormal(0.0, 0.3, groups)
    request = np.stack([0.3 * size[group], (size * lean)[group], np.ones(pods)], axis=1)
    request[:, :2] *= use * allocatable[:, :2].sum(axis=0) / request[:, :2].sum(axis=0)
    # As a scheduler leaves it: each pod on the emptier of two nodes.
    node, load = np.zeros(pods, np.int64), np.zeros(nodes)
    for pod, (one, other) in enumerate(rng.integers(0, nodes, (pods, 2))):
        full = [load[at] / allocatable[at, 0] for at in (one, other)]
        node[pod] = one if full[0] <= full[1] else other
        load[node[pod]] += request[pod, 0]
    fate = np.where(rng.random(pods) < 0.03, 1, 0).astype(np.int8)
    return (
        Nodes(
            allocatable,
            np.ones(nodes, np.bool_),
            np.ones(nodes, np.bool_),
            rng.integers(0, ZONES, nodes),
            allocatable[:, 0].copy(),
        ),
        Pods(
            request,
            node,
            fate,
            np.zeros(pods, np.int64),
            np.ones((1, nodes), np.bool_),
            group,
            rng.random(pods) < 0.1,
        ),
    )


def capacity_bound(nodes: Nodes, pods: Pods) -> float:
    """Share of all capacity that any packing has to keep."""
    lives = pods.fate == 0
    room = nodes.allocatable * (1.0 - np.array(HEADROOM))
    return float((pods.request[lives].sum(axis=0) / room.sum(axis=0)).max())


def kept(nodes: Nodes, plan: Plan) -> float:
    """Share of all cores that are kept."""
    gone = nodes.allocatable[plan.drained, 0].sum()
    return float(1.0 - gone / nodes.allocatable[:, 0].sum())


def main() -> None:
    """Print a line a share of use."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=100_000)
    chosen = parser.parse_args()
    empty(*cluster(5, 50, 0.5), Rules(HEADROOM))
    print("requested  seconds  nodes emptied  pods moved  cores kept  bound  ratio")
    for use in (0.3, 0.5, 0.7):
        nodes, pods = cluster(chosen.nodes, chosen.pods, use)
        begin = time.process_time()
        plan = empty(nodes, pods, Rules(HEADROOM))
        seconds = time.process_time() - begin
        share, bound = kept(nodes, plan), capacity_bound(nodes, pods)
        print(
            f"{use:9.0%}  {seconds:7.1f}  {len(plan.drained):13}  {len(plan.pod):10}  "
            f"{share:10.3f}  {bound:5.3f}  {share / bound:5.2f}"
        )


if __name__ == "__main__":
    main()
