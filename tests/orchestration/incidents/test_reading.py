"""Incidents as they are listed, told and spoken of."""

import pytest

from lake import TimeRange
from lake.prepare import prepare
from orchestration.errors import FilterError, NotFoundError
from orchestration.steps.incidents import browse, titles
from orchestration.steps.incidents.report import markdown
from orchestration.steps.incidents.update import table


@pytest.fixture
def told(shop):
    shop.fill({("eu", "cart", "http_errors"): (0, 9.0)})
    shop.tell(-2, "Deployed", "cart | 2.0", namespace="shop", attributes={"workload": "cart"})
    shop.flag("cart", 0)
    shop.flag("cart", 1, metric="cpu_cores")
    shop.flag("db", 600, cluster="us", score=1.1)
    shop.update(now=900)
    return shop


@pytest.fixture
def listed(told):
    day = TimeRange(told.at.replace(hour=0), told.at.replace(hour=23))

    def ask(limit=100, cursor=None, **changes):
        return browse.incidents(told.lake, browse.Wanted(day, **changes), limit, cursor)

    return ask


def test_the_latest_comes_first_in_pages(listed):
    whole = listed().rows
    assert [row["entities"] for row in whole] == [["shop/db"], ["shop/cart"]]
    first = listed(limit=1)
    second = listed(1, first.next_cursor)
    assert first.rows + second.rows == whole
    assert second.next_cursor is None


@pytest.mark.parametrize(
    ("narrowed", "n"),
    [
        ({"clusters": ["eu"]}, 1),
        ({"clusters": ["none"]}, 0),
        ({"states": ["open"]}, 0),
        ({"severity": "critical"}, 0),
        ({"severity": "low"}, 2),
        ({"visible": ["us"]}, 1),
        ({"visible": []}, 0),
    ],
)
def test_a_listing_is_narrowed(listed, narrowed, n):
    assert len(listed(**narrowed).rows) == n


def test_a_page_is_full_though_a_reader_may_not_see_all(told, listed):
    page = listed(1, visible=["eu"])
    assert [row["cluster"] for row in page.rows] == ["eu"]


def test_one_is_found_by_the_beginning_of_its_id(told, listed):
    row = listed().rows[0]
    assert browse.incident(told.lake, row["incident_id"][:8])["title"] == row["title"]
    for wrong in ("", row["incident_id"][:3], "f" * 32, "%"):
        with pytest.raises(NotFoundError):
            browse.incident(told.lake, wrong)
    with pytest.raises(NotFoundError):
        browse.incident(told.lake, row["incident_id"], visible=["elsewhere"])


@pytest.fixture
def opened(monkeypatch):
    """The files of incidents that queries were given."""
    files, run = [], browse.run

    def counting(snapshot, sql, params, between):
        files.extend(prepare(snapshot, sql, params, between=between).paths["incidents"])
        return run(snapshot, sql, params, between)

    monkeypatch.setattr(browse, "run", counting)
    return files


def test_one_is_found_by_its_id_in_the_newest_days_that_have_it(shop, opened):
    shop.fill()
    day = 24 * 60
    for number in range(30):
        shop.flag("db", day * number, end=day * number + 10)
    shop.update(now=day * 40)
    rows = shop.incidents()
    assert len({file.day for file in shop.lake.incidents.files()[1]}) == 30

    def files_for(name):
        opened.clear()
        found = browse.incident(shop.lake, name)
        assert found["incident_id"].startswith(name)
        return len(opened)

    assert files_for(rows[-1]["incident_id"]) == files_for(rows[-4]["incident_id"][:8]) == 4
    assert files_for(rows[-5]["incident_id"]) == 4 + 16
    assert files_for(rows[0]["incident_id"]) == 30
    # So few may be those of two, which only the whole table tells: it is not read for that.
    with pytest.raises(NotFoundError, match="at least its first 8 characters are needed"):
        files_for(rows[-1]["incident_id"][:7])
    assert opened == []


def test_two_that_begin_alike_are_told_and_those_of_others_do_not_count(shop):
    (row,) = _kept(shop, "aaaaaaaa1", "eu", 0)
    _kept(shop, "aaaaaaaa2", "us", 1)
    _kept(shop, "aaaaaaaa3", "us", 2)
    with pytest.raises(NotFoundError, match="several incidents begin with the id 'aaaaaaaa'"):
        browse.incident(shop.lake, "aaaaaaaa")
    found = browse.incident(shop.lake, "aaaaaaaa", visible=["eu"])
    assert found["incident_id"] == row["incident_id"]
    assert browse.incident(shop.lake, "aaaaaaaa3")["cluster"] == "us"


def _kept(shop, name, cluster, minute):
    """An incident of this id."""
    shop.flag("db", minute, cluster=cluster)
    shop.update()
    row = shop.lake.sql("SELECT * EXCLUDE (date) FROM incidents ORDER BY updated_at").to_pylist()[0]
    rows = [row | {"incident_id": name, "cluster": cluster}]
    shop.lake.incidents.append(table(rows))
    return rows


def test_the_timeline_is_in_order_and_has_the_change(told, listed):
    row = browse.incident(told.lake, listed(clusters=["eu"]).rows[0]["incident_id"])
    times = [one["time"] for one in row["timeline"]]
    assert times == sorted(times)
    assert "cart | 2.0, 2 min before" in row["timeline"][0]["what"]
    assert row["timeline"][-1]["what"] == "resolved"


def test_what_is_said_is_kept_and_told(told, listed):
    one = listed(clusters=["eu"]).rows[0]["incident_id"]
    said = {"cause": "shop/db", "note": "it was the pool", "by": "anna"}
    row = browse.give_feedback(told.lake, one, "confirmed", told.at, **said)
    assert [{k: x[k] for k in said} for x in row["feedback"]] == [said]
    text = markdown(row)
    assert "called confirmed by anna, caused by shop/db: it was the pool" in text
    with pytest.raises(FilterError, match="4001 characters"):
        browse.give_feedback(told.lake, one, "false", told.at, note="x" * 4001)
    with pytest.raises(NotFoundError):
        browse.give_feedback(told.lake, one, "false", told.at, visible=["us"])


def test_the_report_has_causes_symptoms_and_evidence(told, listed):
    text = markdown(browse.incident(told.lake, listed(clusters=["eu"]).rows[0]["incident_id"]))
    assert text.startswith("# shop/cart in eu: errors and CPU since 09:00, after: cart | 2.0\n")
    assert "1. **shop/cart**" in text
    assert "   - metrics: http_errors" in text
    assert "| shop/cart (eu) | errors | http_errors | 9 instead of 1 | 4.0 |" in text


def test_the_report_of_one_without_a_cause_says_so(told, listed):
    text = markdown(browse.incident(told.lake, listed(clusters=["us"]).rows[0]["incident_id"]))
    assert "None is named: nothing stands out" in text


@pytest.mark.parametrize(
    ("metric", "labels", "word"),
    [
        ("up", {}, "stopped reporting"),
        ("istio_requests_total", {"response_code": "200"}, "traffic"),
        ("istio_requests_total", {"response_code": "503"}, "errors"),
        ("istio_request_duration_milliseconds_sum", {}, "latency"),
        ("container_cpu_cfs_throttled_seconds_total", {}, "CPU throttling"),
        ("kubelet_volume_stats_used_bytes", {}, "disk use"),
        ("events:kubernetes:BackOff", {}, "BackOff events"),
        ("my_own_thing", {}, "my_own_thing"),
        (None, {}, "unusual together (entity_memory)"),
    ],
)
def test_people_have_words_for_metrics(metric, labels, word):
    assert titles.word_for({"metric": metric, "detector": "entity_memory"}, labels) == word
