"""Pools of GPUs out of a lake, by Volcano's and by Kueue's names, and what is advised of them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from orchestration.advice_settings import AdviceSettings, PriceSettings
from orchestration.errors import PlacementError
from orchestration.placement_settings import GpuPoolSettings, PlacementSettings
from orchestration.steps.advice.browse import Wanted, listing
from orchestration.steps.advice.make import make_advice
from orchestration.steps.advice.placement.adviser import advise_pools
from orchestration.steps.advice.placement.ask import Asked, place
from orchestration.steps.advice.placement.pools import known_pools, settings_of
from orchestration.steps.advice.placement.read import read_state

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)
DAYS = 3
GPU = "nvidia.com/gpu"
VOLCANO = {"cluster": "v", "queue_name": "training"}
KUEUE = {"cluster": "k", "cluster_queue": "research"}
FLAVOR = KUEUE | {"cohort": "ml", "flavor": "h100", "resource": GPU}
GIB = 1024.0**3


class Pools:
    """A lake with series of queues, one value every five minutes up to now."""

    def __init__(self, lake, fill):
        self.lake, self._fill = lake, fill
        self.settings = AdviceSettings()

    def put(self, *series):
        n = DAYS * 288
        last = round(NOW.timestamp() * 1000)
        step = round(STEP.total_seconds() * 1000)
        values = [np.broadcast_to(np.asarray(one, float), n).copy() for _, one, _ in series]
        times = [last - step * np.arange(n, 0, -1)[: len(one)] for one in values]
        labels = [{"__name__": name} | more for name, _, more in series]
        kept = [np.isfinite(one) for one in values]
        self._fill(
            self.lake,
            labels,
            [time[keep] for time, keep in zip(times, kept, strict=True)],
            [one[keep] for one, keep in zip(values, kept, strict=True)],
        )

    def volcano(self, allocated, capacity=8, inqueue=0, **more):
        of = VOLCANO | more
        self.put(
            ("volcano_queue_allocated_scalar_resources", 1000 * np.asarray(allocated),
             of | {"resource": GPU}),
            ("volcano_queue_deserved_scalar_resources", 1000 * capacity, of | {"resource": GPU}),
            ("volcano_queue_pod_group_inqueue_count", inqueue, of),
            ("volcano_queue_pod_group_pending_count", 0, of),
            # CPU and the like are told of by the same metrics.
            ("volcano_queue_allocated_scalar_resources", 64_000, of | {"resource": "pods"}),
        )  # fmt: skip

    def kueue(self, usage, quota=8, waiting=0, **more):
        of = KUEUE | more
        self.put(
            ("kueue_cluster_queue_resource_usage", usage, FLAVOR | more),
            ("kueue_cluster_queue_nominal_quota", quota, FLAVOR | more),
            ("kueue_cluster_queue_resource_usage", 512.0, FLAVOR | more | {"resource": "memory"}),
            ("kueue_pending_workloads", 0, of | {"status": "active"}),
            ("kueue_pending_workloads", waiting, of | {"status": "inadmissible"}),
        )

    def sort(self, resource, usage, quota):
        """One more sort of GPUs in Kueue's flavor."""
        of = FLAVOR | {"resource": resource}
        self.put(
            ("kueue_cluster_queue_resource_usage", usage, of),
            ("kueue_cluster_queue_nominal_quota", quota, of),
        )

    def device(self, cluster, gpu, used, utilisation=90.0, **more):
        of = {"cluster": cluster, "Hostname": f"{cluster}-node", "gpu": str(gpu),
              "UUID": f"GPU-{cluster}-{gpu}", "modelName": "A100"} | more  # fmt: skip
        self.put(
            ("DCGM_FI_DEV_GPU_UTIL", utilisation, of),
            ("DCGM_FI_DEV_FB_USED", used, of),
            ("DCGM_FI_DEV_FB_FREE", 40_960 - np.asarray(used), of),
        )

    def last(self, later, cluster, used, utilisation=0.0, **more):
        """Half an hour more of a GPU."""
        of = {"cluster": cluster, "Hostname": f"{cluster}-node", "gpu": "0",
              "UUID": f"GPU-{cluster}-0", "modelName": "A100"} | more  # fmt: skip
        times = round((NOW + later).timestamp() * 1000) - 300_000 * np.arange(6, 0, -1)
        figures = {"DCGM_FI_DEV_GPU_UTIL": utilisation, "DCGM_FI_DEV_FB_USED": used}
        labels = [{"__name__": name} | of for name in figures]
        values = [np.full(6, value) for value in figures.values()]
        self._fill(self.lake, labels, [times] * 2, values)

    def place(self, asked, visible=None, **settings):
        own = self.settings.model_copy(update=settings)
        return place(self.lake.snapshot(), asked, NOW, own, visible)

    def known(self):
        state = read_state(self.lake.snapshot(), NOW, timedelta(days=14))
        return known_pools(state, self.settings.placement)

    def advice(self):
        return advise_pools(self.lake.snapshot(), NOW, self.settings)


@pytest.fixture
def pools(lake, fill):
    return Pools(lake, fill)


def busy(gpus, hours_on=2, hours_off=1):
    """Gangs of so many GPUs that run, and then nothing does; at the end one runs."""
    cycle = np.repeat([0.0, gpus], [hours_off * 12, hours_on * 12])
    return np.tile(cycle, -(-DAYS * 288 // len(cycle)))[: DAYS * 288]


def test_pools_by_both_names(pools):
    pools.volcano(busy(6), inqueue=[0] * (DAYS * 288 - 12) + [2] * 12)
    pools.kueue(busy(4), waiting=1)
    kueue, volcano = (one.pool for one in pools.known())
    assert kueue.name == ("k", "research", "h100")
    assert volcano.name == ("v", "training", "")
    for pool, held, waiting in ((kueue, 4.0, 1), (volcano, 6.0, 2)):
        assert pool.known
        assert pool.capacity == 8.0
        assert pool.running.tolist() == [held]
        assert pool.waiting == waiting
        assert pool.habits.ended == DAYS * 8 - 1
        assert np.median(pool.habits.lengths_of(held)[0]) == pytest.approx(2.0, abs=0.1)
    # The last gang began two hours ago, and is about to end.
    assert volcano.elapsed[0] == pytest.approx(2.0, abs=0.1)


def test_what_its_queue_may_use_goes_before_its_fair_share(pools):
    pools.volcano(busy(6), capacity=4)
    of = VOLCANO | {"resource": GPU}
    pools.put(
        ("volcano_queue_capacity_scalar_resources", 12_000, of),
        ("volcano_queue_real_capacity_scalar_resources", 0, of),
    )
    (known,) = pools.known()
    assert known.pool.capacity == 12.0


def test_an_exporter_that_began_again_is_no_second_pool(pools):
    usage = busy(4)
    half = len(usage) // 2
    before, after = usage.copy(), usage.copy()
    before[half:], after[:half] = np.nan, np.nan
    pools.kueue(before, instance="10.0.0.1:8443")
    pools.kueue(after, instance="10.0.0.2:8443")
    (known,) = pools.known()
    assert known.pool.running.tolist() == [4.0]
    assert known.pool.habits.ended == DAYS * 8 - 1


def test_an_exporter_that_tells_nonsense_stops_no_other(pools):
    pools.volcano(np.where(np.arange(DAYS * 288) % 100 == 3, -5.0, busy(6)), capacity=-1)
    pools.kueue(busy(1))
    found = pools.place(Asked(gpus=4, hours=1.0))
    assert [one["cluster"] for one in found["places"]] == ["k"]
    assert found["refused"][0]["reason"] == "its capacity is not known"


def test_a_job_is_placed_where_it_is_done_soonest(pools):
    pools.volcano(busy(6))
    pools.kueue(busy(1))
    found = pools.place(Asked(gpus=4, hours=1.0))
    assert [one["cluster"] for one in found["places"]] == ["k", "v"]
    first, second = found["places"]
    assert (first["wait_hours_upper"], first["starts_at_once"]) == (0.0, 1.0)
    assert first["reason"].startswith("it starts at once; 7 of 8 GPUs are free, 1 job runs")
    assert second["gpus_free"] == 2.0
    assert second["wait_hours"] > 0.0
    assert found["text"].startswith("submit it to k, queue research (h100): it starts at once")
    assert len(first["gpus_free_ahead"]) == 24
    assert found["later"] is None


def test_only_clusters_that_the_caller_may_see(pools):
    pools.volcano(busy(6))
    pools.kueue(busy(1))
    found = pools.place(Asked(gpus=9, hours=1.0), visible=["v"])
    assert [one["cluster"] for one in found["refused"]] == ["v"]
    assert "research" not in str(found)
    assert pools.place(Asked(gpus=1, hours=1.0), visible=[])["text"].startswith("no pool of GPUs")


def test_a_data_set_counts_where_it_is_not_cached(pools):
    pools.volcano(busy(6))
    pools.kueue(busy(1))
    tera = np.full(DAYS * 288, 1e12)
    # In the first hour, a quarter of it came in the two hours; the rest never.
    part = np.minimum(np.arange(DAYS * 288) * 300 * 100e6, 0.25e12)
    alluxio = {"namespace": "ml", "fluid_runtime": "clicks"}
    pools.put(
        ("dataset_ufs_total_size", tera, {"cluster": "v", "dataset": "ml/clicks"}),
        ("Cluster_CapacityUsed", tera, {"cluster": "v"} | alluxio),
        ("Cluster_CapacityUsed", part, {"cluster": "k"} | alluxio),
    )
    found = pools.place(Asked(gpus=2, hours=1.0, dataset="clicks"))
    transfer = {one["cluster"]: one["transfer_hours"] for one in found["places"]}
    assert transfer["v"] == 0.0
    # The buckets are five minutes long, with samples five minutes apart: no rise within one.
    assert transfer["k"] == pytest.approx(0.75e12 / 500e6 / 3600.0)
    assert found["dataset"] == "ml/clicks"
    own = PlacementSettings(pools=(GpuPoolSettings(bandwidth_bytes_per_second=1e9),))
    found = pools.place(Asked(gpus=2, hours=1.0, dataset="ml/clicks"), placement=own)
    transfer = {one["cluster"]: one["transfer_hours"] for one in found["places"]}
    assert transfer["k"] == pytest.approx(0.75e12 / 1e9 / 3600.0)


def test_an_unknown_data_set_is_said_and_not_refused(pools):
    pools.kueue(busy(1))
    found = pools.place(Asked(gpus=1, hours=1.0, dataset="no-such"))
    assert found["places"]
    assert found["dataset"] is None
    assert "'no-such' is unknown (none is known)" in found["notes"][0]


def test_memory_is_that_of_the_smallest_gpu_and_may_be_set(pools):
    pools.kueue(busy(1))
    assert "memory" in pools.place(Asked(1, 1.0, 30 * GIB))["refused"][0]["reason"]
    pools.device("k", 0, 1000.0)
    assert pools.place(Asked(1, 1.0, 30 * GIB))["places"]
    assert not pools.place(Asked(1, 1.0, 41 * GIB))["places"]
    own = PlacementSettings(pools=(GpuPoolSettings(queue="rese.*", gpu_memory_bytes=80 * GIB),))
    assert pools.place(Asked(1, 1.0, 41 * GIB), placement=own)["places"]


def test_what_has_not_been_told_of_late_is_refused(pools):
    stale = busy(1)
    stale[-12:] = np.nan
    pools.kueue(stale)
    found = pools.place(Asked(1, 1.0))
    assert found["places"] == []
    assert found["text"] == (
        "no pool can be advised: k, queue research (h100): "
        "what it has allocated is not told of late"
    )


def test_prices_by_the_hour_move_a_job_into_the_night(pools):
    pools.kueue(busy(1))
    night = tuple(1.0 if hour >= 22 or hour < 6 else 3.0 for hour in range(24))
    own = PlacementSettings(pools=(GpuPoolSettings(gpu_hour_by_hour=night),))
    asked = Asked(4, 2.0, deadline=NOW + timedelta(hours=20))
    found = pools.place(asked, placement=own)
    assert found["later"]["submit"] == NOW + timedelta(hours=10)
    assert "cheaper" in found["text"]
    flat = pools.place(asked, prices=PriceSettings(gpu_hour=2.0))
    assert flat["later"] is None
    assert flat["places"][0]["cost"] == pytest.approx(16.0, rel=0.1)


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        (Asked(-2, 1.0), "gpus=-2: at least 1"),
        (Asked(0, 1.0), "gpus=0: at least 1"),
        (Asked(1, -1.0), "hours=-1.0: more than 0"),
        (Asked(1, float("nan")), "hours is nan: say a number"),
        (Asked(1, 1e9), "at most a year"),
        (Asked(1, 1.0, -5.0), "memory=-5.0: bytes, not negative"),
        (Asked(1, 1.0, deadline=NOW - timedelta(hours=1)), "is over: it is 2026-11-23T12:00"),
        (Asked(1, 1.0, deadline=NOW), "is over"),
    ],
)
def test_what_is_wrong_with_a_question(pools, asked, match):
    with pytest.raises(PlacementError, match=match.replace(".", r"\.")):
        pools.place(asked)


def test_a_queue_that_is_crowded_most_of_the_time(pools):
    waiting = np.where(np.arange(DAYS * 288) % 288 < 200, 2, 0)
    pools.kueue(busy(8, 5, 1), waiting=waiting)
    (one,) = [one for one in pools.advice() if one.kind == "gpu_queue_full"]
    assert (one.cluster, one.entity) == ("k", "research/h100")
    assert one.current == {"gpus": 8.0}
    # What runs and two of eight that wait.
    assert one.proposed == {"gpus": 24.0}
    assert one.saving_gpus == -16.0
    assert one.evidence[0].value == pytest.approx(200 / 288, abs=0.01)
    pools.settings = AdviceSettings(placement=PlacementSettings(crowded_share=0.8))
    assert not pools.advice()


def test_gpus_that_are_free_while_others_wait(pools):
    pools.volcano(busy(2), cluster="k")
    pools.kueue(busy(8, 5, 1), waiting=np.where(np.arange(DAYS * 288) % 288 < 60, 2, 0))
    assert [one.kind for one in pools.advice()] == []
    pools.kueue(busy(4, 5, 1), waiting=1, cluster_queue="small")
    (one,) = [one for one in pools.advice() if one.kind == "gpu_pool_idle"]
    assert (one.cluster, one.entity) == ("k", "training")
    assert one.current["gpus_free_while_others_wait"] == pytest.approx(6.7, abs=0.1)
    facts = {fact.what: fact.value for fact in one.evidence}
    # All three days, in which two or none of eight were in use: there is always room for four.
    assert facts["jobs wait in other queues of the cluster"] == 72.0
    assert facts["of that, with room here"] == 72.0
    assert "less memory" not in one.reason
    sizes = (("training", 40 * GIB), ("small", 80 * GIB))
    own = tuple(GpuPoolSettings(queue=name, gpu_memory_bytes=size) for name, size in sizes)
    pools.settings = AdviceSettings(placement=PlacementSettings(pools=own))
    (less,) = [one for one in pools.advice() if one.kind == "gpu_pool_idle"]
    assert "less memory" in less.reason
    assert less.confidence < one.confidence


def test_no_advice_on_one_cluster_moves_with_another(pools):
    """Who reads of one cluster alone learns no figure of another, nor that there is one."""
    pools.volcano(busy(2), inqueue=1)
    pools.volcano(busy(6, 5, 1), inqueue=1, queue_name="small")
    pools.device("v", 0, 1200.0, 0.0)

    def of_v():
        return [one for one in pools.advice() if one.cluster == "v"]

    alone = of_v()
    assert {"gpu_pool_idle", "gpu_queue_full", "gpu_unused"} <= {one.kind for one in alone}
    pools.kueue(busy(7, 5, 1), waiting=3)
    pools.device("k", 0, 30_000.0)
    assert of_v() == alone


def test_jobs_of_the_same_queue_are_not_those_of_others(pools):
    """Kueue's flavors share one queue: who waits in it could have had either."""
    pools.kueue(busy(2), waiting=1)
    pools.kueue(busy(4, 5, 1), waiting=1, flavor="a100")
    assert [one.kind for one in pools.advice() if one.kind == "gpu_pool_idle"] == []


def test_a_gpu_that_somebody_holds_and_nobody_uses(pools):
    pools.device("k", 0, 1200.0, 0.0)
    pools.device("k", 1, 4.0, 0.0)  # nobody's
    pools.device("k", 2, 30_000.0)  # at work
    late = np.zeros(DAYS * 288)
    late[-20] = 60.0
    pools.device("k", 3, 1200.0, late)  # used within six hours
    pools.settings = AdviceSettings(prices=PriceSettings(gpu_hour=2.0))
    (one,) = pools.advice()
    assert (one.kind, one.entity, one.node) == ("gpu_unused", "k-node GPU 0", "k-node")
    assert (one.current, one.proposed) == ({"gpus": 1}, {"gpus": 0})
    assert one.saving_cost == 1460.0
    assert one.title == (
        "k-node GPU 0 (A100) is held and has computed nothing for 6 h or more: "
        "giving it back saves it"
    )


def test_the_gpus_of_one_pod_are_one_advice(pools):
    for gpu in (0, 1):
        pools.device("k", gpu, 0.0, 0.0, namespace="ml", pod="notebook-0")
    (one,) = pools.advice()
    assert (one.entity, one.namespace, one.saving_gpus) == ("ml/notebook-0", "ml", 2.0)
    assert one.title.startswith("ml/notebook-0 holds 2 GPUs (A100)")


def test_a_pod_that_has_ended_holds_no_gpu(pools):
    told = np.zeros(DAYS * 288)
    told[-6:] = np.nan  # half an hour ago, of six
    pools.device("k", 0, np.where(np.isnan(told), np.nan, 1200.0), told, namespace="ml", pod="a-0")
    pools.device("k", 1, 30_000.0)
    assert pools.advice() == []


def test_a_gpu_of_which_little_is_told_is_not_called_unused(pools):
    told = np.zeros(DAYS * 288)
    told[-40:-30] = np.nan  # of 72
    pools.device("k", 0, 1200.0, told)
    assert pools.advice() == []


@pytest.mark.parametrize("named", [True, False])
def test_a_gpu_that_was_given_back_is_seen(pools, named):
    holder = {"namespace": "ml", "pod": "notebook-0"} if named else {}
    pools.device("k", 0, 1200.0, 0.0, **holder)
    pools.device("j", 0, 1200.0, 0.0, **holder)

    def states(later):
        made = make_advice(pools.lake, pools.settings, NOW + later)
        assert made.failed == {}
        rows = listing(pools.lake, Wanted(states=())).rows
        return {row["cluster"]: (row["state"], row["effect"]) for row in rows}

    assert states(timedelta(0)) == {"k": ("open", None), "j": ("open", None)}
    later = timedelta(minutes=30)
    # Of k it is told that nobody has it any more; of j nothing is told, and so nothing is known.
    pools.last(later, "k", used=4.0)
    found = states(later)
    assert found["k"][0] == "applied"
    assert found["k"][1]["before"] == {"gpus": 1}
    assert found["k"][1]["measured"] == {"gpus": 0}
    assert found["j"][0] != "applied"


def test_a_gpu_that_is_still_held_was_not_given_back(pools):
    pools.device("k", 0, 1200.0, 0.0)
    make_advice(pools.lake, pools.settings, NOW)
    pools.last(timedelta(minutes=30), "k", used=1200.0)
    make_advice(pools.lake, pools.settings, NOW + timedelta(minutes=30))
    (row,) = listing(pools.lake, Wanted(states=())).rows
    assert row["state"] == "open"


@pytest.mark.parametrize(
    ("utilisation", "used", "state"),
    [(0.0, 1200.0, "open"), (60.0, 1200.0, "withdrawn"), (0.0, 4.0, "applied")],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_gap_in_what_is_told_of_gpus_takes_no_advice_away(pools, utilisation, used, state, named):
    """Not while the exporter is down, nor in the hours after in which too little is told."""
    holder = {"namespace": "ml", "pod": "notebook-0"} if named else {}
    pools.device("k", 0, 1200.0, 0.0, **holder)

    def found(hours):
        made = make_advice(pools.lake, pools.settings, NOW + timedelta(hours=hours))
        assert made.failed == {}
        (row,) = listing(pools.lake, Wanted(states=())).rows
        return row["state"]

    assert found(0) == found(3) == "open"
    given_back = used < 200.0
    pools.last(timedelta(hours=4), "k", used, utilisation, **({} if given_back else holder))
    assert found(4) == state


def test_gpus_of_which_nothing_is_told_for_more_than_a_day_have_no_advice(pools):
    pools.device("k", 0, 1200.0, 0.0)
    for hours, state in ((0, "open"), (20, "open"), (26, "withdrawn")):
        make_advice(pools.lake, pools.settings, NOW + timedelta(hours=hours))
        (row,) = listing(pools.lake, Wanted(states=())).rows
        assert row["state"] == state


def test_how_many_wait_is_not_taken_from_days_ago(pools):
    waiting = np.full(DAYS * 288, 3.0)
    waiting[144:] = np.nan
    pools.volcano(busy(2), inqueue=waiting)
    pools.put(("volcano_queue_pod_group_pending_count", waiting, VOLCANO))
    (known,) = pools.known()
    assert known.pool.waiting == 0


def test_a_queue_that_tells_not_how_many_wait_says_so(pools):
    of = VOLCANO | {"resource": GPU}
    pools.put(
        ("volcano_queue_allocated_scalar_resources", 1000 * busy(2), of),
        ("volcano_queue_deserved_scalar_resources", 8000, of),
    )
    (one,) = pools.place(Asked(gpus=4, hours=1.0))["places"]
    assert one["jobs_waiting"] is None
    assert "1 job runs and how many wait is not told" in one["reason"]


def test_two_sorts_of_gpus_in_one_queue_are_two_pools(pools):
    pools.kueue(busy(4), quota=8)
    pools.sort("amd.com/gpu", busy(1), 2)
    # Listed with every queue, and given out in none.
    pools.sort("intel.com/gpu", 0, 0)
    of = {one.pool.name: one.pool for one in pools.known()}
    assert {name: one.capacity for name, one in of.items()} == {
        ("k", "research", "h100 nvidia.com/gpu"): 8.0,
        ("k", "research", "h100 amd.com/gpu"): 2.0,
    }
    assert of["k", "research", "h100 nvidia.com/gpu"].running.tolist() == [4.0]
    assert of["k", "research", "h100 amd.com/gpu"].running.tolist() == [1.0]


def test_settings_of_a_flavor_are_those_of_each_sort_of_gpu_in_it(pools):
    pools.kueue(busy(4))
    pools.sort("amd.com/gpu", busy(1), 2)
    pools.settings = AdviceSettings(
        placement=PlacementSettings(
            pools=(
                GpuPoolSettings(node_pool="h100 amd.*", gpu_hour=1.0),
                GpuPoolSettings(node_pool="h100", gpu_hour=2.0),
            )
        )
    )
    price = {one.pool.name[2]: one.pool.price[0] for one in pools.known()}
    assert price == {"h100 amd.com/gpu": 1.0, "h100 nvidia.com/gpu": 2.0}


def test_a_queue_that_borrows_has_what_it_has(pools):
    pools.kueue(busy(12), quota=8)
    (known,) = pools.known()
    assert known.pool.capacity == 12.0
    assert known.pool.free == 0.0


def test_a_short_name_that_two_data_sets_have_is_neither(pools):
    pools.kueue(busy(1))
    pools.put(
        ("dataset_ufs_total_size", 1e12, {"cluster": "k", "dataset": "ml/clicks"}),
        ("dataset_ufs_total_size", 2e12, {"cluster": "k", "dataset": "ads/clicks"}),
    )
    found = pools.place(Asked(gpus=1, hours=1.0, dataset="clicks"))
    assert found["dataset"] is None
    assert "'clicks' is unknown (known are ads/clicks, ml/clicks)" in found["notes"][0]
    assert pools.place(Asked(gpus=1, hours=1.0, dataset="ads/clicks"))["dataset"] == "ads/clicks"


def test_of_many_data_sets_ten_are_named(pools):
    pools.kueue(busy(1))
    pools.put(*(
        ("dataset_ufs_total_size", 1e9, {"cluster": "k", "dataset": f"ml/d{n:02d}"})
        for n in range(13)
    ))  # fmt: skip
    (note,) = pools.place(Asked(gpus=1, hours=1.0, dataset="x"))["notes"]
    assert "ml/d09 and 3 more)" in note
    assert "ml/d10" not in note


def test_what_is_done_in_weeks_is_told_with_its_date(pools):
    pools.kueue(busy(1))
    assert "done at about Mon 12:57 UTC" in pools.place(Asked(1, 1.0))["text"]
    text = pools.place(Asked(1, 288.0))["text"]
    assert "done at about Sat 2026-12-05 " in text


def test_a_lake_without_gpus_has_nothing_to_say(pools):
    assert pools.advice() == []
    assert pools.place(Asked(1, 1.0))["text"].startswith("no pool of GPUs is known")


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ({"gpu_hour_by_hour": (1.0,) * 23}, "has 23 prices: a day has 24 hours"),
        ({"gpu_hour_by_hour": (-1.0,) * 24}, "negative price"),
        ({"queue": "("}, "is no regular expression"),
        ({"nodes": "(?=x)"}, "is no regular expression"),
        ({"gpu_memory_bytes": 0.0}, "greater than 0"),
        ({"bandwidth": 1.0}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be(bad, match):
    with pytest.raises(ValidationError, match=match):
        GpuPoolSettings(**bad)


def test_of_settings_that_match_the_first_counts():
    first, second = GpuPoolSettings(queue="train.*", gpu_hour=1.0), GpuPoolSettings(gpu_hour=2.0)
    own = PlacementSettings(pools=(first, second))
    assert settings_of(("v", "training", ""), own) is first
    assert settings_of(("v", "research", "h100"), own) is second
    # Whole names: a queue that only begins so is another.
    assert settings_of(("v", "x-training", ""), own) is second


def test_a_gpu_whose_memory_is_full_was_not_given_back(pools):
    """The exporter lost the mapping to pods; the GPU holds 1200 MiB as before."""
    pools.device("k", 0, 1200.0, 0.0, namespace="ml", pod="notebook-0")
    make_advice(pools.lake, pools.settings, NOW)
    pools.last(timedelta(minutes=30), "k", used=1200.0)
    make_advice(pools.lake, pools.settings, NOW + timedelta(minutes=30))
    (row,) = listing(pools.lake, Wanted(states=())).rows
    assert (row["state"], row["effect"]) == ("withdrawn", None)
