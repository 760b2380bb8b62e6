"""Which series are the same thing in several clusters."""

import numpy as np
import pytest

from lake import TimeRange
from orchestration.family_settings import FamilySettings
from orchestration.sibling_settings import SiblingsSettings
from orchestration.steps.look import Look
from orchestration.steps.siblings.finder import Siblings
from orchestration.steps.siblings.members import members
from tests.orchestration.siblings.fleet import CLUSTERS, SETTINGS, START, at


def which(lake, settings=SETTINGS):
    own = members(lake.snapshot(), settings, START)
    return sorted(
        {(one.metric, one.namespace, one.workload) for one in map(own.same, range(own.n_rows))}
    )


def put(lake, fill, *labels):
    times = [[round(START.timestamp() * 1000)]] * len(labels)
    fill(lake, list(labels), times, [[1.0]] * len(labels))


def everywhere(**labels):
    return [{"cluster": name, **labels} for name in CLUSTERS]


def test_labels_of_places_do_not_tell_workloads_apart_and_others_do(lake, fill):
    base = {"namespace": "shop", "workload": "cart"}
    put(lake, fill, *everywhere(__name__="a", **base, code="200"))
    put(lake, fill, *everywhere(__name__="a", **base, code="500"))
    ids = [
        {**one, "id": f"/kubepods/{one['cluster']}", "name": one["cluster"], "image": "x"}
        for one in everywhere(__name__="b", **base)
    ]
    put(lake, fill, *ids)
    own = [{**one, "queue": one["cluster"]} for one in everywhere(__name__="c", **base)]
    put(lake, fill, *own)
    put(lake, fill, *everywhere(__name__="d", node="n1"))
    assert which(lake) == [("a", "shop", "cart"), ("b", "shop", "cart")]
    found = members(lake.snapshot(), SETTINGS, START)
    assert found.n_rows == 3 * len(CLUSTERS)
    assert len(set(found.row_id.tolist())) == found.n_rows


def test_a_clusters_name_can_be_cut_out_of_namespaces(lake, fill):
    put(
        lake,
        fill,
        *(
            one | {"namespace": f"shop-{one['cluster']}", "workload": "cart"}
            for one in everywhere(__name__="a")
        ),
    )
    assert which(lake) == []
    cut = SETTINGS.model_copy(update={"siblings": SiblingsSettings(cut="-(ap|eu|sa|us)$")})
    assert which(lake, cut) == [("a", "shop", "cart")]
    put(
        lake,
        fill,
        *(
            one | {"namespace": "shop", "workload": f"pay-{one['cluster']}"}
            for one in everywhere(__name__="a")
        ),
    )
    own = members(lake.snapshot(), cut, START, workloads=["pay-eu"])
    assert {own.same(row).workload for row in range(own.n_rows)} == {"pay"}


def test_blocks_are_whole_groups(lake, fill):
    base = {"namespace": "shop", "workload": "cart"}
    for name in "abcde":
        put(lake, fill, *everywhere(__name__=name, **base))
    own = members(lake.snapshot(), SETTINGS, START)
    for most in (1, 4, 9, 100):
        blocks = list(own.blocks(most))
        assert np.concatenate([one.row_id for one in blocks]).tolist() == own.row_id.tolist()
        assert all(len(one.series_id) <= max(most, 4) for one in blocks)
        assert all(one.bounds[-1] == one.n_rows for one in blocks)
    names = {own.same(row).metric for row in range(own.n_rows)}
    assert names == set("abcde")
    (kept,) = {name.metric for name in map(own.holding(own.series_id[5:6]).same, range(4))}
    assert kept == "b"


def test_an_empty_lake_has_no_siblings(lake):
    assert which(lake) == []
    look = Look(lake.snapshot(), TimeRange(START, at(5)), SETTINGS, START)
    assert Siblings().find(look) == []


@pytest.mark.parametrize("name", ["places", "cut", "load", "failure"])
def test_a_pattern_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="no regular expression"):
        SiblingsSettings(**{name: "("})


def test_what_is_not_scored_has_no_siblings_and_families_say_how_it_is_read(lake, fill):
    base = {"namespace": "shop", "workload": "cart"}
    put(lake, fill, *everywhere(__name__="process_start_time_seconds", **base))
    put(lake, fill, *everywhere(__name__="ours_total", **base, kind="a"))
    put(lake, fill, *everywhere(__name__="ours_total", **base, kind="b"))
    ours = (
        FamilySettings(metrics="ours_total", labels={"kind": "b"}, ignore=True),
        FamilySettings(metrics="ours_total", reading="level", direction="below"),
    )
    settings = SETTINGS.model_copy(update={"families": ours, "include": "ours.*"})
    own = members(lake.snapshot(), settings, START)
    assert own.n_rows == len(CLUSTERS)
    assert {label for label in own.same(0).labels if label.startswith("kind")} == {"kind\x01a"}
    assert {one.reading for one in own.infos()} == {"level"}
    assert own.limits().side.tolist() == [-1] * len(CLUSTERS)
