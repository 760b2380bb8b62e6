"""Forecasts of the lake: found, foretold, kept once, and never a made-up date."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.maintenance_settings import MaintenanceSettings
from orchestration.steps.forecast.sentence import sentence
from orchestration.steps.maintain import compact_lake

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
GIB = 1024.0**3
CLIENT_TTL = "kubelet_certificate_manager_client_ttl_seconds"


def test_a_disk_that_fills(resources, line, now):
    resources.disk(line(1.0, 78.0))
    row = resources.told()
    assert (row["cluster"], row["resource"], row["subject"]) == ("c1", "filesystem", "/var")
    assert row["instance"] == "node-7:9100"
    assert row["threshold"] == pytest.approx(80 * GIB)
    assert row["value"] == pytest.approx(78 * GIB, rel=1e-3)
    assert abs(row["eta"] - (now + 2 * HOUR)) <= 15 * MINUTE
    assert row["eta_lower"] <= row["eta"] <= row["eta_upper"]
    assert (row["abstained"], row["reason"], row["coverage"]) == (False, None, None)
    assert row["chance"] > 0.9
    assert row["method"]
    assert row["horizon_seconds"] == 4 * 3600


@pytest.mark.parametrize(("horizon", "column"), [(4 * HOUR, 5 * MINUTE), (24 * HOUR, 30 * MINUTE)])
def test_the_surest_interval_is_as_wide_as_a_column_can_tell(resources, now, horizon, column):
    """A straight line without noise: all that may come passes in one column."""
    resources.disk(78.05 + np.arange(1 - 2 * 288, 1) / 12.0)
    row = resources.told(horizon=horizon)
    # The first sample of the line that is at 80 %: 24 steps after the newest, of five minutes ago.
    passage = now + 23 * 5 * MINUTE
    assert row["eta"] == row["eta_upper"] == row["eta_lower"] + 1.5 * column
    assert row["eta_lower"] <= passage <= row["eta_upper"]


def test_no_chance_is_larger_than_one(resources, line):
    """Sums of shares are, by a rounding; here of some of these disks."""
    for tenths in range(11, 20):
        resources.disk(line(tenths / 10, 78.0), mountpoint=f"/{tenths}")
    resources.make()
    chances = [row["chance"] for row in resources.rows()]
    assert len(chances) == 9
    assert all(0.999 < chance <= 1.0 for chance in chances)


def test_no_interval_begins_before_its_forecast_was_made(resources, now):
    resources.disk(79.99 + np.arange(1 - 288, 1) / 12.0)
    row = resources.told()
    assert (row["eta_lower"], row["eta"]) == (now, now + 5 * MINUTE)


SHORT = np.full(20, 50.0)
CANNOT = {
    "full": (np.full(288, 100.0), {}, "threshold already passed"),
    "little history": (SHORT, {}, "history is shorter than the horizon"),
    "a limit of nothing": (np.zeros(288), {"size": 0.0}, "no limit known"),
    "a limit that means none": (np.zeros(288), {"size": 2.0**63}, "no limit known"),
    "negative free space": (np.full(288, 101.0), {}, "free space is negative"),
    "more free than there is": (
        np.full(288, -50.0),
        {},
        "units of value and limit contradict each other",
    ),
}


@pytest.mark.parametrize("name", CANNOT)
def test_what_cannot_be_told_says_why_and_has_no_date(resources, name):
    used, more, reason = CANNOT[name]
    resources.disk(used, **more)
    row = resources.told()
    assert (row["reason"], row["abstained"]) == (reason, True)
    assert [row[name] for name in ("eta", "eta_lower", "eta_upper")] == [None, None, None]


def test_what_is_full_says_since_when(resources, now):
    used = np.append(np.full(270, 79.0), np.full(18, 81.0))
    resources.disk(used)
    row = resources.told(levels=(0.8,))
    assert (row["reason"], row["abstained"]) == ("threshold already passed", True)
    # The first column that is past it ends 17 columns ago; it may have been in half the one before.
    since = now - 17 * 5 * MINUTE
    assert (row["eta"], row["eta_lower"], row["eta_upper"]) == (None, since - 7.5 * MINUTE, since)
    assert sentence(row) == "`/var` on node-7:9100 of c1 is past 80 % since 10:35 UTC"


def test_what_falls_below_its_threshold_says_since_when(resources, now):
    queue = {"name": "battery", "metric": "charge", "threshold": 20.0, "below": True}
    resources.put(np.append(np.full(280, 50.0), np.full(8, 10.0)), metric="charge")
    row = resources.told(resources=[queue])
    assert (row["eta"], row["eta_upper"]) == (None, now - 7 * 5 * MINUTE)
    assert sentence(row) == "battery of c1 is past 20 since 11:25 UTC"


def test_what_is_full_since_another_time_is_written_again(resources, now):
    resources.disk(np.append(np.full(270, 79.0), np.full(18, 81.0)))
    assert resources.make(levels=(0.8,)).written == 1
    resources.disk([81.0] * 3, end=now + 15 * MINUTE)
    assert resources.make(now + 15 * MINUTE, levels=(0.8,)).written == 0
    resources.disk([81.0, 79.0, 81.0], end=now + 30 * MINUTE)
    assert resources.make(now + 30 * MINUTE, levels=(0.8,)).written == 1
    assert resources.rows()[-1]["eta_upper"] == now + 30 * MINUTE


@pytest.mark.parametrize("hours", [4, 6, 24, 48])
def test_what_is_full_for_long_is_not_written_each_round(resources, now, hours):
    """Columns of a longer horizon are wider than rounds are apart."""
    resources.disk(np.repeat([79.0, 81.0], [1080, 96]), end=now + HOUR)
    settings = {"levels": (0.8,), "horizon": hours * HOUR}
    rounds = [now + minutes * MINUTE for minutes in (0, 15, 30, 45)]
    assert [resources.make(at, **settings).written for at in rounds] == [1, 0, 0, 0]
    (row,) = resources.rows()
    assert row["eta_lower"] <= now - 7 * HOUR <= row["eta_upper"]


def test_nor_what_has_expired(resources, now):
    """Seconds since then, told at another moment of each five minutes."""
    for minutes, late in ((0, 0.0), (15, 100.0), (30, 40.0)):
        at = now + minutes * MINUTE
        resources.put([-3600.0 - 60.0 * minutes - late], metric=CLIENT_TTL, name="web", end=at)
        assert resources.make(at).written == (minutes == 0)


def test_an_expired_certificate_says_since_when(resources, now):
    at = now - 30 * HOUR
    resources.put([at.timestamp()], metric="x509_cert_not_after", subject_CN="web")
    row = resources.told()
    assert (row["eta"], row["eta_lower"], row["eta_upper"]) == (None, at, at)
    assert sentence(row).endswith(" of c1 is expired since 22 Nov 2026 06:00 UTC")


@pytest.mark.parametrize(
    ("per_hour", "reason"), [(-1.0, "shrinking"), (0.0, "not expected within the horizon")]
)
def test_what_does_not_fill_is_no_abstention(resources, line, per_hour, reason):
    resources.disk(line(per_hour, 50.0))
    row = resources.told()
    assert (row["reason"], row["abstained"], row["eta"]) == (reason, False, None)


def test_a_resource_that_went_silent_has_no_forecast(resources, line, now):
    resources.disk(line(1.0, 78.0))
    row = resources.told(now + 3 * HOUR)
    assert (row["reason"], row["abstained"], row["eta"]) == ("no limit known", True, None)


def test_without_a_limit_it_is_said(resources, line):
    resources.put(
        line(1.0, 78.0),
        metric="container_memory_working_set_bytes",
        namespace="shop",
        pod="cart-1",
        container="cart",
    )
    row = resources.told()
    assert (row["resource"], row["reason"]) == ("container_memory", "no limit known")
    assert (row["capacity"], row["threshold"], row["abstained"]) == (None, None, True)


def test_units_that_contradict(resources, line):
    labels = {"namespace": "shop", "pod": "cart-1", "container": "cart"}
    resources.put(line(1.0, 78.0) * GIB, metric="container_memory_working_set_bytes", **labels)
    # Mebibytes.
    resources.put(
        np.full(288, 100.0 * 1024),
        metric="kube_pod_container_resource_limits",
        resource="memory",
        unit="byte",
        **labels,
    )
    assert resources.told()["reason"] == "units of value and limit contradict each other"


@pytest.mark.parametrize(("used", "level"), [(78.0, 0.8), (85.0, 0.9), (95.0, 1.0)])
def test_the_lowest_level_that_is_not_reached_is_foretold(resources, line, used, level):
    resources.disk(line(2.0, used))
    row = resources.told()
    assert row["threshold"] / row["capacity"] == pytest.approx(level)
    assert row["eta"] is not None


def test_a_disk_that_was_made_larger_did_not_fall(resources, line, now):
    """What was used goes on straight, though the free space has jumped."""
    used = line(1.0, 78.0)
    size = np.where(np.arange(288) < 284, 80.0, 100.0) * GIB
    resources.disk(used * 100 * GIB / size, size)
    assert abs(resources.told()["eta"] - (now + 2 * HOUR)) <= 10 * MINUTE


def test_a_container_that_began_again_is_one_resource(resources, line, now):
    """Its new series has another id; what is known of it goes back over the restart."""
    labels = {"namespace": "shop", "pod": "cart-1", "container": "cart"}
    value, limit = "container_memory_working_set_bytes", "kube_pod_container_resource_limits"
    whole = line(1.0, 78.0) * GIB
    resources.put(whole[:270], now - 18 * 5 * MINUTE, metric=value, id="/one", **labels)
    resources.put(whole[270:], metric=value, id="/two", **labels)
    resources.put(np.full(288, 100 * GIB), metric=limit, resource="memory", **labels)
    resources.put(np.full(288, 4.0), metric=limit, resource="cpu", **labels)
    row = resources.told()
    assert row["reason"] is None
    assert abs(row["eta"] - (now + 2 * HOUR)) <= 15 * MINUTE
    (newest,) = resources.lake.sql(
        "SELECT series_id FROM series WHERE label(labels, 'id') = '/two'"
    ).to_pylist()
    assert row["series_id"] == newest["series_id"]


def test_sums_of_pods_and_file_systems_of_memory_are_no_resources(resources, line):
    metric = "container_memory_working_set_bytes"
    resources.put(line(1.0, 78.0), metric=metric, namespace="shop", pod="cart-1")
    resources.put(line(1.0, 78.0), metric=metric, namespace="shop", pod="cart-1", container="POD")
    resources.disk(line(1.0, 78.0), fstype="tmpfs")
    resources.disk(line(1.0, 78.0), fstype="squashfs", mountpoint="/snap")
    assert resources.make().resources == 0


def test_a_volume_is_told_once_though_two_metrics_tell_of_it(resources, line, now):
    claim = {"namespace": "data", "persistentvolumeclaim": "data-0"}
    used = line(1.0, 78.0) * GIB
    capacity = np.full(288, 100 * GIB)
    resources.put(used, metric="kubelet_volume_stats_used_bytes", **claim)
    resources.put(capacity, metric="kubelet_volume_stats_capacity_bytes", **claim)
    assert resources.told()["resource"] == "volume_used"
    resources.put(capacity - used, metric="kubelet_volume_stats_available_bytes", **claim)
    resources.make(now)
    of_now = {row["resource"] for row in resources.rows() if row["lake_version"] > 2}
    assert of_now == {"volume"}


def test_a_quota_and_its_hard_limit_are_one_metric(resources, line):
    labels = {"metric": "kube_resourcequota", "namespace": "shop", "resourcequota": "q"}
    for name, limit in (("pods", 100.0), ("requests.cpu", 1000.0)):
        resources.put(line(1.0, 78.0), resource=name, type="used", **labels)
        resources.put(np.full(288, limit), resource=name, type="hard", **labels)
    resources.make()
    pods, cpu = resources.rows()
    assert (pods["subject"], pods["threshold"]) == ("q pods", 80.0)
    assert pods["eta"] is not None
    assert (cpu["subject"], cpu["threshold"], cpu["eta"]) == ("q requests.cpu", 800.0, None)


def test_a_threshold_by_configuration(resources, line, now):
    resources.put(line(10.0, 480.0), metric="queue_length", queue="mail")
    resources.put(line(10.0, 480.0), metric="queue_length", queue="other")
    own = {
        "name": "queue",
        "metric": "queue_length",
        "threshold": 500.0,
        "labels": {"queue": "mail|sms"},
        "subject": ["queue"],
    }
    row = resources.told(resources=[own])
    assert (row["resource"], row["subject"], row["capacity"]) == ("queue", "mail", None)
    assert abs(row["eta"] - (now + 2 * HOUR)) <= 15 * MINUTE


def test_a_threshold_that_is_reached_by_falling(resources, line, now):
    resources.put(line(-10.0, 70.0), metric="battery_charge")
    own = {"name": "battery", "metric": "battery_charge", "threshold": 50.0, "below": True}
    row = resources.told(resources=[own])
    assert (row["value"], row["threshold"]) == (pytest.approx(70.0, abs=0.1), 50.0)
    assert abs(row["eta"] - (now + 2 * HOUR)) <= 15 * MINUTE


def test_run_again_it_writes_nothing(resources, line):
    resources.disk(line(1.0, 78.0))
    resources.disk(line(0.0, 50.0), mountpoint="/")
    assert resources.make().written == 2
    before = resources.rows()
    assert resources.make().written == 0
    assert resources.rows() == before
    assert resources.lake.forecasts.version() == 1


def test_on_more_data_the_new_rows_take_the_place_of_the_old(resources, line):
    """Of the same time: late samples of a cluster that was cut off."""
    resources.disk(line(1.0, 78.0, 24))
    assert resources.told()["reason"] == "history is shorter than the horizon"
    resources.disk(line(1.0, 78.0))
    assert resources.told()["reason"] is None
    kept = resources.lake.forecasts.delta().count()
    assert (kept, len(resources.rows())) == (2, 1)


def test_nothing_after_its_time_is_looked_at(resources, line, now):
    whole = line(1.0, 80.0)
    resources.disk(whole[:-24], end=now - 2 * HOUR)
    before = resources.told(now - 2 * HOUR)
    # From then on it stands still.
    resources.disk(np.concatenate([whole[:-24], np.full(24, whole[-25])]))
    after = resources.told(now - 2 * HOUR)
    assert after.pop("lake_version") > before.pop("lake_version")
    assert after == before
    assert before["eta"] is not None


def test_what_says_nothing_new_is_written_once_a_day(resources, line, now):
    resources.disk(np.full(600, 50.0) + 0.01 * np.sin(np.arange(600)))
    resources.disk(line(1.0, 78.0, 600), mountpoint="/filling")
    at = [now - 2 * HOUR, now - HOUR, now]
    assert [resources.make(one).written for one in at] == [2, 1, 1]
    assert resources.make(now - 13 * HOUR).written == 2


def test_one_id_a_resource(resources, line, now):
    for mountpoint in ("/a", "/b"):
        resources.disk(line(1.0, 78.0), mountpoint=mountpoint)
    resources.make(now - HOUR)
    resources.make(now)
    ids = {(row["subject"], row["forecast_id"]) for row in resources.rows()}
    assert len(resources.rows()) == 4
    assert len(ids) == len({name for _, name in ids}) == 2


def test_an_empty_lake_has_none(resources):
    assert resources.make().resources == 0


@pytest.mark.parametrize(
    ("metric", "value", "hours"),
    [
        ("certmanager_certificate_expiration_timestamp_seconds", 30 * 24.0, 30 * 24.0),
        (CLIENT_TTL, None, 10.0),
    ],
)
def test_a_certificate_tells_its_time(resources, now, metric, value, hours):
    at = (now + value * HOUR).timestamp() if value else hours * 3600.0
    resources.put([at], metric=metric, name="web")
    row = resources.told()
    assert abs(row["eta"] - (now + hours * HOUR)) <= 5 * MINUTE
    assert row["eta"] == row["eta_lower"] == row["eta_upper"]
    assert (row["method"], row["abstained"], row["coverage"]) == ("stated", False, None)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0.0, "no time of expiry is told"),
        (float("inf"), "no time of expiry is told"),
        (1e18, "no time of expiry is told"),
        # Go's zero, what is before Python's calendar, and what is in none.
        (-62135596800.0, "no time of expiry is told"),
        (-1e12, "no time of expiry is told"),
        (-1e30, "no time of expiry is told"),
        (1.7e9, "threshold already passed"),
    ],
)
def test_a_certificate_without_a_time(resources, value, reason):
    resources.put([value], metric="x509_cert_not_after", subject_CN="web")
    row = resources.told()
    assert (row["reason"], row["abstained"], row["eta"]) == (reason, True, None)


def test_a_certificate_that_was_to_expire_long_before_there_were_any(resources, now):
    """Seconds that are left of Go's zero time."""
    resources.put([-62135596800.0 - now.timestamp()], metric=CLIENT_TTL, name="web")
    row = resources.told()
    assert (row["reason"], row["eta_upper"]) == ("no time of expiry is told", None)


def test_merged_files_have_the_same_rows(resources, line, now):
    resources.disk(line(1.0, 78.0, 24), mountpoint="/young")
    resources.disk(line(1.0, 78.0))
    resources.make()
    # Late samples: the forecast of the same time is made again.
    resources.disk(line(1.0, 78.0), mountpoint="/young")
    resources.make()
    before = resources.rows()
    stored = resources.lake.forecasts.delta().count()
    compact_lake(resources.lake, MaintenanceSettings().policy(), lambda: now + 48 * HOUR)
    assert resources.rows() == before
    assert resources.lake.forecasts.delta().count() == len(before) < stored
