"""What fills, over HTTP and as metrics of our own."""

import re
from datetime import timedelta

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lake.schema import FORECASTS

HOUR = timedelta(hours=1)
GIB = 1024.0**3


def forecast(now, name, hours, made=0.1, **changes):
    """A row that was made so many hours ago, of what is reached in so many from now."""
    eta = None if hours is None else now + hours * HOUR
    return dict.fromkeys(FORECASTS.schema.names) | {
        "cluster": "eu-1",
        "forecast_id": name,
        "resource": "filesystem",
        "subject": "/var",
        "instance": f"{name}:9100",
        "made_at": now - made * HOUR,
        "value": 70 * GIB,
        "capacity": 100 * GIB,
        "threshold": 80 * GIB,
        "eta": eta,
        "eta_lower": eta and eta - 0.5 * HOUR,
        "eta_upper": eta and eta + 0.5 * HOUR,
        "horizon_seconds": 4 * 3600.0,
        "coverage": 0.79,
        "abstained": False,
        "lake_version": 3,
        **changes,
    }


def put(lake, rows):
    table = pl.DataFrame(rows, infer_schema_length=None).to_arrow()
    lake.forecasts.append(table.cast(FORECASTS.schema))


@pytest.fixture(scope="module")
def filled(shared, now):
    why = {"abstained": True, "reason": "no limit known", "threshold": None, "capacity": None}
    put(
        shared.lake,
        [
            forecast(now, "soon", 1.0),
            forecast(now, "later", 3.0, namespace="shop"),
            forecast(now, "far", 9.0, resource="volume"),
            forecast(now, "us", 2.0, cluster="us-2"),
            forecast(now, "why", None, **why),
            forecast(now, "calm", None, reason="shrinking"),
            # It was to fill, and does no more.
            forecast(now, "calmed", 2.0, made=1.0),
            forecast(now, "calmed", None, reason="shrinking"),
            # Its interval is over; and nobody knows of it any more.
            forecast(now, "over", -1.0, made=4.0),
            forecast(now, "gone", 2.0, made=25.0),
            forecast(now, "of tomorrow", 2.0, made=-1.0),
        ],
    )
    return shared


def ids(filled, **params):
    reply = filled.http.get("/api/v1/forecasts", params=params)
    assert reply.status_code == 200, reply.text
    return [item["forecast_id"] for item in reply.json()["items"]]


FILTERS = {
    "within the horizon": ({}, ["soon", "us", "later"]),
    "within an hour and a half": ({"within": "PT1H30M"}, ["soon"]),
    "within a day": ({"within": "P1D"}, ["soon", "us", "later", "far"]),
    "a cluster": ({"cluster": "us-2"}, ["us"]),
    "two clusters": ({"cluster": ["us-2", "eu-1"]}, ["soon", "us", "later"]),
    "a namespace": ({"namespace": "shop"}, ["later"]),
    "a resource": ({"resource": "volume", "within": "P1D"}, ["far"]),
    "by the name of rows": ({"resource": "file_descriptors"}, []),
    "by the name of sentences": ({"resource": "Error budget", "within": "P1D"}, []),
    "abstained too": ({"abstained": "true"}, ["soon", "us", "later", "why"]),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(filled, name):
    params, expected = FILTERS[name]
    assert ids(filled, **params) == expected


def test_pages_neither_repeat_nor_skip(filled):
    params = {"limit": 1, "within": "P1D", "abstained": "true"}
    found = []
    for _ in range(9):
        page = filled.http.get("/api/v1/forecasts", params=params).json()
        found += [item["forecast_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert found == ["soon", "us", "later", "far", "why"]


PAST = {"abstained": True, "reason": "threshold already passed"}


@pytest.fixture
def full(start, now):
    """One that fills, and three that are full: since an hour, a day, nobody knows since when."""
    with start(forecasts={"gauges": 3}) as running:
        put(
            running.lake,
            [
                forecast(now, "fills", 1.0),
                forecast(now, "always", None, **PAST),
                forecast(now, "news", None, **PAST, eta_upper=now - HOUR),
                forecast(now, "older", None, **PAST, eta_upper=now - 25 * HOUR),
                forecast(now, "why", None, abstained=True, reason="no limit known"),
            ],
        )
        yield running


def test_what_is_past_its_threshold_is_told_first_and_has_no_date_ahead(full):
    assert ids(full) == ["news", "older", "always", "fills"]
    assert ids(full, within="PT1M") == ["news", "older", "always"]
    assert ids(full, abstained="true") == ["news", "older", "always", "fills", "why"]
    items = full.http.get("/api/v1/forecasts").json()["items"]
    assert [item["text"].partition(" of eu-1 ")[2] for item in items[:3]] == [
        "is past 80 % since 11:00 UTC",
        "is past 80 % since 22 Nov 2026 11:00 UTC",
        "is past 80 % for as long as is looked back",
    ]
    assert [item["eta"] for item in items[:3]] == [None] * 3
    first = full.http.get("/api/v1/forecasts", params={"limit": 2}).json()
    params = {"limit": 2, "cursor": first["next_cursor"]}
    rest = full.http.get("/api/v1/forecasts", params=params).json()
    assert first["items"] + rest["items"] == items


def test_a_gauge_of_what_is_full_is_zero_and_hides_none_of_what_fills(full):
    full.service.forecaster.run_if_due()
    families = text_string_to_metric_families(full.http.get("/metrics").text)
    (gauge,) = [one for one in families if one.name == "fleetlake_seconds_to_threshold"]
    assert {one.labels["instance"]: one.value for one in gauge.samples} == {
        "news:9100": 0.0,
        "older:9100": 0.0,
        "fills:9100": 3600.0,
    }


def test_a_horizon_that_is_longer_than_what_is_looked_ahead_is_told(filled):
    def note(**params):
        return filled.http.get("/api/v1/forecasts", params=params).json()["note"]

    assert note() is None
    assert note(within="PT4H") is None
    assert "foretold 4 h ahead, not 12 h (forecasts.horizon)" in note(within="PT12H")


def test_what_is_known_at_all_is_told_beside_what_fills(filled, now):
    def known(**params):
        return filled.http.get("/api/v1/forecasts", params=params).json()["known"]

    newest = (now - 0.1 * HOUR).isoformat().replace("+00:00", "Z")
    assert known() == {
        "resources": 8,
        "abstained": {"no limit known": 1},
        "made_at": newest,
        "horizon_seconds": 4 * 3600.0,
    }
    # However little of it is asked for.
    assert known(within="PT1H", limit=1)["resources"] == 8
    assert known(cluster="us-2") == known() | {"resources": 1, "abstained": {}}
    nothing = {"resources": 0, "abstained": {}, "made_at": None, "horizon_seconds": None}
    assert known(namespace="none") == nothing


def test_each_says_what_it_says_in_a_sentence(filled):
    items = filled.http.get("/api/v1/forecasts", params={"abstained": "true"}).json()["items"]
    texts = {item["forecast_id"]: item["text"] for item in items}
    assert texts["soon"] == (
        "`/var` on soon:9100 of eu-1 reaches 80 % in 1.1 h "
        "(0.6–1.6 h; past 80 % intervals held 79 %)"
    )
    assert re.search("cannot be told .* no limit known$", texts["why"])


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"within": "PT0S"}, 422),
        ({"within": "soon"}, 422),
        ({"within": "P4000D"}, 422),
        ({"limit": 0}, 422),
        ({"cursor": "none"}, 400),
        ({"resource": "disk"}, 400),
        ({"resource": ""}, 400),
    ],
)
def test_what_is_asked_wrongly_is_refused(filled, params, status):
    assert filled.http.get("/api/v1/forecasts", params=params).status_code == status


def test_a_caller_sees_forecasts_of_his_clusters_alone(start, now):
    token = {"token": "0123456789abcdef", "clusters": ["us-2"]}
    with start(api={"tokens": [token]}) as running:
        put(running.lake, [forecast(now, "eu", 1.0), forecast(now, "us", 2.0, cluster="us-2")])
        headers = {"Authorization": "Bearer 0123456789abcdef"}
        for params in ({}, {"cluster": ["eu-1", "us-2"]}):
            reply = running.http.get("/api/v1/forecasts", params=params, headers=headers)
            assert [item["forecast_id"] for item in reply.json()["items"]] == ["us"]
            assert reply.json()["known"]["resources"] == 1
        assert running.http.get("/api/v1/forecasts").status_code == 401
        sql = {"query": "SELECT forecast_id FROM forecasts"}
        rows = running.http.post("/api/v1/sql", json=sql, headers=headers).json()["rows"]
        assert "eu" not in str(rows)


def test_whatever_is_seen_is_a_filter(start, now):
    """Rows name their kind in one way, sentences in another; some made by other settings."""
    kinds = ("volume", "volume_used", "container_memory", "error_budget", "tape_slots")
    token = {"token": "0123456789abcdef", "clusters": ["us-2"]}
    every = {"token": "fedcba9876543210", "clusters": "all"}
    with start(api={"tokens": [token, every]}) as running:
        put(running.lake, [forecast(now, kind, 1.0, resource=kind) for kind in kinds])

        def asked(resource, secret=every):
            headers = {"Authorization": f"Bearer {secret['token']}"}
            params = {"resource": resource}
            return running.http.get("/api/v1/forecasts", params=params, headers=headers).json()

        items = running.http.get(
            "/api/v1/forecasts", headers={"Authorization": f"Bearer {every['token']}"}
        ).json()["items"]
        assert len(items) == len(kinds)
        for item in items:
            told = item["text"].partition(" `")[0]
            assert item in asked(item["resource"])["items"]
            assert item in asked(told)["items"]
        assert [one["resource"] for one in asked("volume_used")["items"]] == ["volume_used"]
        assert len(asked("volume")["items"]) == 2
        assert asked("volume")["known"]["resources"] == 2
        detail = asked("disk")["detail"]
        assert detail.startswith("no kind of resource is called 'disk': there are certificate, ")
        assert "tape_slots" in detail
        # Others' kinds are none of his.
        assert "'tape_slots': there are certificate, " in asked("tape_slots", token)["detail"]


def test_seconds_to_a_threshold_are_gauges(filled, now):
    filled.service.forecaster.run_if_due()
    text = filled.http.get("/metrics").text
    families = {one.name: one.samples for one in text_string_to_metric_families(text)}
    gauges = {
        (sample.labels["instance"], sample.labels["threshold"]): sample.value
        for sample in families["fleetlake_seconds_to_threshold"]
    }
    assert gauges == {
        ("soon:9100", "0.8"): 3600.0,
        ("us:9100", "0.8"): 7200.0,
        ("later:9100", "0.8"): 3 * 3600.0,
        ("far:9100", "0.8"): 9 * 3600.0,
    }
    (labels,) = [
        sample.labels
        for sample in families["fleetlake_seconds_to_threshold"]
        if sample.labels["instance"] == "us:9100"
    ]
    assert (labels["cluster"], labels["resource"], labels["subject"]) == (
        "us-2",
        "filesystem",
        "/var",
    )
    assert [sample.value for sample in families["fleetlake_forecast_rounds"]] == [0.0]
