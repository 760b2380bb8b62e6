from collections import Counter

import pytest

from ingest.simulation.errors import UnknownNameError
from ingest.simulation.fleet import place


def test_names_depend_on_the_seed_alone():
    assert place(7) == place(7)
    assert place(7) != place(8)


def test_nodes_are_named_as_their_cloud_names_them():
    prefix = {"eu-1": "ip-10-42-", "us-2": "gke-us-2-pool-1-", "ap-3": "aks-nodepool1-"}
    for cluster in place(7).clusters:
        assert 3 <= len(cluster.nodes) <= 5
        assert len({n.name for n in cluster.nodes}) == len({n.address for n in cluster.nodes})
        assert all(n.name.startswith(prefix[cluster.name]) for n in cluster.nodes)


def test_every_workload_has_its_pods_and_no_node_is_empty():
    for cluster in place(7).clusters:
        count = Counter(p.spec.name for p in cluster.pods)
        assert count == {w.name: w.replicas for w in cluster.workloads}
        assert {p.node for p in cluster.pods} == set(cluster.nodes)
        assert len({p.name for p in cluster.pods}) == len(cluster.pods)


def test_most_workloads_are_twins_across_the_clusters():
    names = Counter(w.name for c in place(7).clusters for w in c.workloads)
    assert sum(count == 3 for count in names.values()) >= 12


def test_the_database_does_not_share_its_node_with_the_noisy_worker():
    cluster = place(7).cluster("ap-3")
    assert cluster.pods_of("postgres")[0].node != cluster.pods_of("report-worker")[0].node


def test_unknown_names_are_errors_of_ours():
    with pytest.raises(UnknownNameError, match="cluster 'mars-4'"):
        place(7).cluster("mars-4")
    with pytest.raises(UnknownNameError, match="recommendations"):
        place(7).cluster("ap-3").workload("recommendations")
