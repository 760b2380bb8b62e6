"""Against a real HTTP server that answers like Prometheus."""

import json
import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from urllib.parse import parse_qs

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.errors import IngestError, InvalidLabelsError, SourceError
from ingest.pull.client import RangeClient, Waits
from ingest.pull.puller import PrometheusPuller
from ingest.pull.source import PrometheusSource
from ingest.remote_write import message
from ingest.scrape.labels import encode
from lake import Lake
from orchestration.errors import PullError
from orchestration.steps.pull import pull_sources
from tests.patience import MINUTES, PATIENCE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 2, 28)
UP = {"__name__": "up", "job": "node"}


def no_waits(slept=None):
    return Waits(sleep=(slept if slept is not None else []).append, rng=np.random.default_rng(1))


class Prometheus:
    """Gives each series a point at every step of the range asked for, its end included."""

    def __init__(self) -> None:
        self.series = [UP]
        self.requests = []
        self.answer = None
        self.value = "1"
        self.failures = []
        self.refuse = lambda form: None
        self.over = threading.Event()

    def reply(self, form) -> tuple[int, bytes]:
        self.requests.append(form)
        if self.answer is not None:
            return self.answer
        at, end = (datetime.fromisoformat(form[name]) for name in ("start", "end"))
        points = []
        while at <= end:
            points.append([at.timestamp(), self.value])
            at += timedelta(seconds=float(form["step"]))
        result = [{"metric": metric, "values": points} for metric in self.series]
        data = {"resultType": "matrix", "result": result}
        return 200, json.dumps({"status": "success", "data": data}).encode()


@pytest.fixture
def prometheus():
    stand_in = Prometheus()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            form = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
            form |= {"path": self.path, "authorization": self.headers.get("Authorization")}
            failure = stand_in.failures.pop(0) if stand_in.failures else stand_in.refuse(form)
            if isinstance(failure, str):
                if failure == "slow":
                    stand_in.over.wait(MINUTES)
                self.connection.close()
                return
            if failure:
                stand_in.requests.append(form)
                status, answer, headers = failure
            else:
                status, answer, headers = *stand_in.reply(form), {}
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    yield stand_in
    stand_in.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def puller(lake, prometheus):
    with httpx.Client() as client:

        def build(to=None, **settings):
            settings = {"settle": timedelta(0), "retries": 2} | settings
            source = PrometheusSource(cluster="eu", url=prometheus.url, **settings)
            return PrometheusPuller(to or lake, source, client, no_waits())

        yield build


def times(lake):
    return lake.sql("SELECT time FROM samples ORDER BY time").column("time").to_pylist()


def test_the_watermark_moves_with_the_commit(puller, lake):
    one = puller()
    assert one.watermark() is None
    pulled = one.pull_new(NOON)
    assert (pulled.samples, pulled.series, pulled.cluster) == (120, 1, "eu")
    assert (pulled.range.start, pulled.range.end) == (NOON - timedelta(hours=1), NOON)
    assert one.watermark() == NOON
    assert lake.sql("SELECT DISTINCT cluster, job FROM metrics").to_pylist() == [
        {"cluster": "eu", "job": "node"}
    ]


def test_pulls_join_without_gap_or_overlap(puller, lake):
    one = puller()
    for seconds in (0, 10, 95, 95, 400):
        one.pull_new(NOON + timedelta(seconds=seconds))
    found = times(lake)
    assert {after - before for before, after in pairwise(found)} == {timedelta(seconds=30)}
    assert found[-1] == NOON + timedelta(seconds=360)


def test_a_second_pull_of_the_same_range_adds_nothing(puller, lake, prometheus):
    first, second = puller(), puller(Lake.open(lake.root))
    first.pull_new(NOON)
    asked = len(prometheus.requests)
    assert second.pull_new(NOON).range is None
    assert len(prometheus.requests) == asked
    assert len(times(lake)) == 120


def test_nothing_found_moves_the_watermark(puller, lake, prometheus):
    prometheus.series = []
    one = puller()
    assert one.pull_new(NOON).samples == 0
    assert one.watermark() == NOON
    assert times(lake) == []


def test_the_first_pull_reaches_back(puller, lake):
    puller(lookback=timedelta(hours=5)).pull_new(NOON)
    assert times(lake)[0] == NOON - timedelta(hours=5)


@pytest.mark.parametrize(
    ("step", "hours", "requests"),
    [(30, 1, 1), (30, 2, 1), (30, 5, 3), (7, 5, 3), (3600, 5, 3), (4 * 3600, 12, 3)],
)
def test_long_ranges_are_split_on_the_grid(puller, lake, prometheus, step, hours, requests):
    step = timedelta(seconds=step)
    puller(step=step, lookback=timedelta(hours=hours) // step * step).pull_new(NOON)
    assert len(prometheus.requests) == requests
    assert {after - before for before, after in pairwise(times(lake))} == {step}
    for form in prometheus.requests:
        start, end = (datetime.fromisoformat(form[name]) for name in ("start", "end"))
        assert (end - start) / step < 11_000


def test_overlapping_selectors_give_each_sample_once(puller, lake):
    one = puller(match=('{job="node"}', '{__name__="up"}'))
    assert one.pull_new(NOON).samples == 120
    assert len(times(lake)) == 120


def test_a_closed_day_is_replaced(puller, lake, prometheus, make_samples):
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    lake.samples.append(make_samples([7.0], cluster="us", start=midnight - timedelta(hours=1)))
    one = puller(step=timedelta(hours=1), lookback=timedelta(hours=20))
    one.pull_new(NOON)
    before = len(times(lake))
    for value in ("2", "3", "3"):
        prometheus.value = value
        assert one.pull_day(DAY).samples == 24
    found = lake.sql(
        "SELECT cluster, date, count(*) AS n, max(value) AS v FROM samples GROUP BY ALL"
    )
    assert sorted(tuple(row.values()) for row in found.to_pylist()) == [
        ("eu", DAY, 24, 3.0),
        ("eu", midnight.date(), 12, 1.0),
        ("us", DAY, 1, 7.0),
    ]
    assert before == 20 + 1, "as far as it looks back, and the other cluster"
    assert one.watermark() == NOON


def once(lake):
    found = times(lake)
    assert len(found) == len(set(found))
    return found


MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HALF_PAST = MIDNIGHT + timedelta(minutes=30)


@pytest.mark.parametrize("first", [True, False], ids=["day first", "day last"])
def test_a_closed_day_and_a_look_back_into_it_do_not_double(puller, lake, first):
    one = puller(step=timedelta(minutes=1))
    if first:
        one.pull_day(DAY)
    pulled = one.pull_new(HALF_PAST)
    if not first:
        one.pull_day(DAY)
    found = once(lake)
    assert (found[0], found[-1]) == (MIDNIGHT - timedelta(days=1), HALF_PAST - timedelta(minutes=1))
    assert len(found) == 1440 + 30
    assert pulled.samples == 30 + 30
    assert one.watermark() == HALF_PAST


def test_days_that_closed_since_the_watermark_are_pulled_whole(puller, lake):
    one = puller(step=timedelta(hours=1), lookback=timedelta(hours=3))
    one.pull_new(NOON - timedelta(days=3))
    one.pull_new(NOON)
    found = once(lake)
    assert {after - before for before, after in pairwise(found)} == {timedelta(hours=1)}
    assert (found[0], found[-1]) == (MIDNIGHT - timedelta(days=3), NOON - timedelta(hours=1))


def test_a_closed_day_that_the_source_has_forgotten_is_left(puller, lake, prometheus):
    one = puller(step=timedelta(hours=1), lookback=timedelta(hours=3))
    one.pull_new(NOON - timedelta(days=2))
    prometheus.series = []
    one.pull_new(NOON)
    assert len(once(lake)) == 3
    assert one.watermark() == NOON


@pytest.mark.parametrize("seconds", [0, 3, 20, 40])
def test_around_midnight_with_a_step_that_does_not_divide_the_day(puller, lake, seconds):
    one = puller(step=timedelta(seconds=7), lookback=timedelta(minutes=5))
    for minutes in (-1, 0, 1):
        one.pull_new(MIDNIGHT + timedelta(minutes=minutes, seconds=seconds))
    once(lake)


def test_a_pull_that_failed_after_a_closed_day_is_repeated(puller, lake, prometheus, monkeypatch):
    one = puller(step=timedelta(minutes=1))
    append = lake.samples.append

    def fail(*args, **kwargs):
        monkeypatch.setattr(lake.samples, "append", append)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(lake.samples, "append", fail)
    with pytest.raises(OSError, match="Input/output"):
        one.pull_new(HALF_PAST)
    assert one.watermark() is None
    one.pull_new(HALF_PAST)
    assert len(once(lake)) == 30 + 30


def test_a_closed_day_without_samples_is_left(puller, lake, prometheus):
    one = puller(step=timedelta(hours=1))
    one.pull_day(DAY)
    prometheus.series = []
    assert one.pull_day(DAY).samples == 0
    assert len(once(lake)) == 24, "the source may have forgotten it"


def of_clusters(lake):
    found = lake.sql("SELECT cluster, count(*) AS n FROM samples GROUP BY ALL ORDER BY 1")
    return [tuple(row.values()) for row in found.to_pylist()]


def test_a_source_of_several_clusters(puller, lake, prometheus):
    prometheus.series = [UP, UP | {"cluster": "it's us"}]
    one = puller(step=timedelta(hours=1), foreign=True)
    for value in ("1", "1", "2"):
        prometheus.value = value
        pulled = one.pull_day(DAY)
        assert (pulled.samples, pulled.foreign) == (48, ())
    assert of_clusters(lake) == [("eu", 24), ("it's us", 24)]
    assert {value for (value,) in pushed(lake, "up")} == {2.0}


def test_a_source_speaks_for_its_own_cluster(puller, lake, prometheus):
    prometheus.series = [UP, UP | {"cluster": "us"}, UP | {"cluster": "asia", "job": "a"}]
    one = puller(step=timedelta(hours=1))
    for pulled in (one.pull_day(DAY), one.pull_new(NOON)):
        assert pulled.foreign == ("asia", "us")
        assert pulled.series == 1
    assert of_clusters(lake) == [("eu", 25)]


def pushed(lake, metric):
    found = lake.sql("SELECT value FROM samples WHERE metric = $m ORDER BY time", {"m": metric})
    return [(value,) for value in found.column("value").to_pylist()]


@pytest.fixture
def push(open_receiver):
    """Pushes through a receiver: the hours of `DAY`, by values."""
    receiver = open_receiver()
    start = int((MIDNIGHT - timedelta(days=1)).timestamp() * 1000)

    def send(values, seconds=0, **labels):
        n = len(values)
        at = start + 3_600_000 * np.arange(n, dtype=np.int64) + 1000 * seconds
        body = message.build(
            [encode(labels)], np.array([n], np.int64), at, np.array(values, np.float64)
        )
        receiver.write_samples(message.pack(body)).result()
        receiver.flush()

    return send


def test_what_others_push_outlives_a_closed_day(puller, lake, prometheus, push):
    push(range(10), __name__="pushed", cluster="eu")
    push(range(10), __name__="pushed", cluster="us")
    push([7.0] * 24, seconds=1, __name__="up", job="node", cluster="eu")
    prometheus.series = [UP, UP | {"cluster": "us"}]
    one = puller(step=timedelta(hours=1), foreign=True)
    ours = [(float(value),) for value in range(10) for _ in ["eu", "us"]]
    for value in ("1", "1", "3", "3"):
        prometheus.value = value
        one.pull_day(DAY)
        one.pull_new(NOON)
        assert sorted(pushed(lake, "pushed")) == ours
        assert of_clusters(lake) == [("eu", 10 + 24 + 24 + 1), ("us", 10 + 24 + 1)]
        assert pushed(lake, "up").count((7.0,)) == 24, "another time of the same series"
    prometheus.series = []
    one.pull_day(DAY)
    assert sorted(pushed(lake, "pushed")) == ours
    once_each = lake.sql("SELECT count(DISTINCT (series_id, time)) AS n FROM samples").to_pylist()
    assert once_each == [{"n": 59 + 35}]


def test_a_point_that_was_pushed_twice_is_there_once_after_the_day_closed(puller, lake, push):
    for value in (1.0, 2.0):
        push([value] * 24, __name__="up", job="node", cluster="eu")
    assert len(times(lake)) == 48
    puller(step=timedelta(hours=1)).pull_day(DAY)
    assert len(once(lake)) == 24
    assert set(pushed(lake, "up")) == {(1.0,)}


def test_what_is_pushed_while_a_day_is_written_again_stays(
    puller, lake, prometheus, push, monkeypatch
):
    one = puller(step=timedelta(hours=1))
    one.pull_day(DAY)
    replace = lake.samples.replace

    def late(*args):
        monkeypatch.setattr(lake.samples, "replace", replace)
        push([7.0] * 24, seconds=9, __name__="up", job="node", cluster="eu")
        return replace(*args)

    monkeypatch.setattr(lake.samples, "replace", late)
    prometheus.value = "2"
    one.pull_day(DAY)
    assert sorted(pushed(lake, "up")) == [(2.0,)] * 24 + [(7.0,)] * 24
    once(lake)


@pytest.mark.parametrize(
    ("sign", "told"),
    [
        ({"warnings": ["store 10.0.0.9 is gone"]}, "store 10.0.0.9 is gone"),
        ({"isPartial": True}, "the answer is partial"),
    ],
    ids=["Prometheus", "VictoriaMetrics"],
)
def test_an_answer_that_may_not_be_whole_only_adds(puller, lake, prometheus, sign, told):
    one = puller(step=timedelta(days=1))
    one.pull_day(DAY)
    at = MIDNIGHT.timestamp() - 86_400
    result = [
        {"metric": UP, "values": [[at, "9"]]},
        {"metric": UP | {"job": "new"}, "values": [[at, "5"]]},
    ]
    answer = SUCCESS | sign | {"data": {"result": result}}
    prometheus.answer = (200, json.dumps(answer).encode())
    for added in (1, 0):
        pulled = one.pull_day(DAY)
        assert pulled.samples == added
        assert pulled.warnings == (told,)
        assert sorted(pushed(lake, "up")) == [(1.0,), (5.0,)]


def test_warnings_and_foreign_clusters_are_logged(lake, prometheus, caplog):
    result = [{"metric": UP | {"cluster": "us"}, "values": [[MIDNIGHT.timestamp() - 60, "9"]]}]
    answer = SUCCESS | {"warnings": ["gone"], "data": {"result": result}}
    prometheus.answer = (200, json.dumps(answer).encode())
    source = PrometheusSource(cluster="eu", url=prometheus.url)
    list(pull_sources(lake, (source,), DAY, NOON))
    told = [vars(record) for record in caplog.records if record.name.endswith("steps.pull")]
    assert (told[0]["warnings"], told[1]["foreign"]) == (("gone",), ("us",))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_names_where_it_leads(puller, prometheus, status):
    prometheus.failures = [(status, b"", {"Location": "https://sso.example/login"})]
    with pytest.raises(SourceError, match=f"status {status}: is at https://sso.example/login"):
        puller().pull_new(NOON)


@pytest.mark.parametrize("lookback", [timedelta(hours=1), timedelta(seconds=3601)])
def test_the_first_pull_reaches_back_so_far_over_midnight_too(puller, lake, lookback):
    one = puller(lookback=lookback)
    assert one.pull_new(HALF_PAST).samples == 120
    found = once(lake)
    assert (found[0], found[-1]) == (HALF_PAST - timedelta(hours=1), HALF_PAST - one.source.step)
    assert {after - before for before, after in pairwise(found)} == {one.source.step}


def test_late_samples_are_found_also_in_parts_shorter_than_the_overlap(puller, lake, prometheus):
    one = puller(overlap=timedelta(minutes=10))
    one.pull_new(NOON)
    prometheus.series = [UP, UP | {"job": "late"}]
    prometheus.refuse = lambda form: (
        (422, b'{"status":"error","error":"would load too many samples"}', {})
        if too_long(form, timedelta(minutes=2))
        else None
    )
    assert one.pull_new(NOON + timedelta(minutes=1)).samples == 20 + 4
    assert one.watermark() == NOON + timedelta(minutes=1)
    late_times = lake.sql("SELECT min(time) AS t FROM metrics WHERE job = 'late'").to_pylist()
    assert late_times == [{"t": NOON - timedelta(minutes=10)}]


def test_a_step_that_does_not_divide_the_day_has_one_grid(puller, lake):
    one = puller(step=timedelta(seconds=7 * 60), lookback=timedelta(hours=1))
    for hours in range(4):
        one.pull_new(MIDNIGHT + timedelta(hours=hours - 2))
    one.pull_day(DAY)
    assert {after - before for before, after in pairwise(once(lake))} == {one.source.step}


def test_series_are_not_written_with_every_pull(puller, lake):
    one = puller()
    for minutes in range(4):
        one.pull_new(NOON + timedelta(minutes=minutes))
    assert lake.series.version() == 1


SUCCESS = {"status": "success"}
GOOD_POINTS = [[1772366400, "1"]]


def series(**entry):
    return SUCCESS | {"data": {"result": [entry]}}


@pytest.mark.parametrize(
    ("status", "answer", "problem"),
    [
        (400, {"status": "error", "error": "too many points"}, "status 400: too many points"),
        (200, {"status": "error", "error": "timed out"}, "status 200: timed out"),
        (401, "<html>login</html>", "status 401, and no JSON"),
        (200, "", "no JSON"),
        (502, "Bad Gateway", "status 502"),
        (200, [], "status 200"),
        (200, SUCCESS, "no range of series: KeyError 'data'"),
        (200, SUCCESS | {"data": None}, "no range of series"),
        (200, SUCCESS | {"data": {"result": None}}, "no range of series"),
        (200, SUCCESS | {"data": {"result": ["x"]}}, "no range of series"),
        (200, series(values=GOOD_POINTS), "KeyError 'metric'"),
        (200, series(metric=[], values=GOOD_POINTS), "no range of series"),
        (200, series(metric=UP, values=[[1]]), "no range of series"),
        (200, series(metric=UP, values=[["x", "1"]]), "no range of series"),
        (200, series(metric=UP, values=[[1, "high"]]), "no range of series"),
        (200, series(metric=UP, values=5), "no range of series"),
    ],
)
def test_what_is_no_answer_is_a_source_error(puller, lake, prometheus, status, answer, problem):
    raw = answer if isinstance(answer, str) else json.dumps(answer)
    prometheus.answer = (status, raw.encode())
    versions, one = lake.snapshot().versions, puller()
    with pytest.raises(SourceError, match=problem) as refusal:
        one.pull_new(NOON)
    assert refusal.value.url == f"{prometheus.url}/api/v1/query_range"
    assert lake.snapshot().versions == versions
    assert one.watermark() is None
    prometheus.answer = None
    assert one.pull_new(NOON).samples == 120


def test_an_expression_instead_of_a_selector_is_refused(puller, prometheus):
    prometheus.series = [{"job": "node"}]
    with pytest.raises(InvalidLabelsError, match="__name__ is missing"):
        puller().pull_new(NOON)


def test_nobody_there(lake):
    source = PrometheusSource(cluster="eu", url="http://127.0.0.1:1")
    with httpx.Client() as client, pytest.raises(SourceError, match="ConnectError"):
        PrometheusPuller(lake, source, client, no_waits()).pull_new(NOON)


def test_what_is_asked(puller, prometheus):
    puller(bearer_token="t0ken", match=("up",), step=timedelta(minutes=1)).pull_new(NOON)
    (form,) = prometheus.requests
    assert form == {
        "path": "/api/v1/query_range",
        "authorization": "Bearer t0ken",
        "query": "up",
        "start": "2026-03-01T11:00:00+00:00",
        "end": "2026-03-01T11:59:59.999999+00:00",
        "step": "60.0",
    }


def test_special_values(puller, lake, prometheus):
    for value in ("NaN", "+Inf", "-Inf", "1e-3"):
        prometheus.value = value
        puller(step=timedelta(hours=1)).pull_new(NOON + timedelta(hours=len(times(lake))))
    values = lake.sql("SELECT CAST(value AS VARCHAR) AS v FROM samples ORDER BY time")
    assert values.column("v").to_pylist() == ["nan", "inf", "-inf", "0.001"]


@pytest.mark.parametrize("seconds", [0, -30, 0.5, 1.5])
def test_a_step_is_whole_seconds(seconds):
    with pytest.raises(ValidationError, match="whole number of seconds"):
        PrometheusSource(cluster="eu", url="http://x", step=timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "failure",
    [
        (500, b"oops", {}),
        (502, b"Bad Gateway", {}),
        (503, b"", {"Retry-After": "7"}),
        (429, b'{"status":"error","error":"slow down"}', {"Retry-After": "7"}),
        "cut",
        "slow",
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(lake, prometheus, failure):
    prometheus.failures = [failure] * 2
    slept = []
    source = PrometheusSource(
        cluster="eu",
        url=prometheus.url,
        settle=timedelta(0),
        timeout=timedelta(seconds=1 if failure == "slow" else PATIENCE),
    )
    with httpx.Client() as client:
        pulled = PrometheusPuller(lake, source, client, no_waits(slept)).pull_new(NOON)
    assert pulled.samples == 120
    assert len(slept) == 2
    if isinstance(failure, tuple) and failure[2]:
        assert all(wait >= 7 for wait in slept)
    else:
        assert 0.5 <= slept[0] <= 1
        assert 1 <= slept[1] <= 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 501])
def test_what_will_not_pass_is_not_tried_again(puller, prometheus, status):
    prometheus.failures = [(status, b'{"status":"error","error":"no"}', {})]
    with pytest.raises(SourceError, match=f"status {status}: no"):
        puller().pull_new(NOON)
    assert len(prometheus.requests) == 1


def test_attempts_are_bounded(puller, prometheus):
    prometheus.failures = [(503, b"down", {})] * 100
    with pytest.raises(SourceError, match="status 503"):
        puller(retries=3).pull_new(NOON)
    assert len(prometheus.requests) == 4


def too_long(form, longest):
    start, end = (datetime.fromisoformat(form[name]) for name in ("start", "end"))
    return end - start > longest


@pytest.mark.parametrize(
    "answer",
    [
        (422, "query processing would load too many samples into memory in query execution"),
        (400, "exceeded maximum resolution of 11,000 points per timeseries."),
        (503, "query timed out in expression evaluation"),
    ],
    ids=["samples", "resolution", "time"],
)
def test_a_range_that_is_too_much_is_halved(puller, lake, prometheus, answer):
    status, error = answer
    raw = json.dumps({"status": "error", "error": error}).encode()
    prometheus.refuse = lambda form: (
        (status, raw, {}) if too_long(form, timedelta(minutes=20)) else None
    )
    one = puller(lookback=timedelta(hours=3))
    assert one.pull_new(NOON).samples == 360
    found = once(lake)
    assert {after - before for before, after in pairwise(found)} == {timedelta(seconds=30)}
    assert len(prometheus.requests) == 3 + 12, "three too long, then what was found to be enough"


def test_an_answer_that_is_too_large_is_asked_for_in_parts(puller, lake):
    one = puller(max_answer_bytes=1000)
    assert one.pull_new(NOON).samples == 120
    assert len(once(lake)) == 120


def test_a_single_step_that_is_too_large_is_told(puller, lake, prometheus):
    prometheus.series = [UP | {"pod": f"cart-{n}"} for n in range(50)]
    with pytest.raises(SourceError, match="for a single step: split `match`"):
        puller(max_answer_bytes=1000).pull_new(NOON)


def test_a_long_gap_is_pulled_in_commits(puller, lake, prometheus):
    one = puller(lookback=timedelta(hours=10))
    before = lake.samples.version()
    asked = []

    def fail_at_the_fourth(form):
        asked.append(form)
        return (400, b'{"status":"error","error":"gone"}', {}) if len(asked) == 4 else None

    prometheus.refuse = fail_at_the_fourth
    with pytest.raises(SourceError, match="gone"):
        one.pull_new(NOON)
    assert lake.samples.version() == before + 3
    assert one.watermark() == NOON - timedelta(hours=4), "three parts of two hours are done"
    assert len(once(lake)) == 6 * 120
    one.pull_new(NOON)
    assert len(once(lake)) == 10 * 120
    assert one.watermark() == NOON


def test_samples_that_came_late_are_added_once(puller, lake, prometheus):
    late = UP | {"job": "late"}
    one = puller(overlap=timedelta(minutes=5))
    one.pull_new(NOON)
    prometheus.series = [UP, late]
    assert one.pull_new(NOON + timedelta(minutes=2)).samples == 4 + 14
    assert one.pull_new(NOON + timedelta(minutes=3)).samples == 4
    rows = lake.sql("SELECT series_id, time FROM samples").to_pylist()
    assert len(rows) == len({(row["series_id"], row["time"]) for row in rows}) == 120 + 4 + 14 + 4
    late_times = lake.sql("SELECT min(time) AS t FROM metrics WHERE job = 'late'").to_pylist()
    assert late_times == [{"t": NOON - timedelta(minutes=5)}]


def test_what_has_not_settled_is_left(puller, lake):
    one = puller(settle=timedelta(seconds=15))
    one.pull_new(NOON + timedelta(seconds=14))
    assert one.watermark() == NOON - timedelta(seconds=30)
    one.pull_new(NOON + timedelta(seconds=15))
    assert once(lake)[-1] == NOON - timedelta(seconds=30)


def test_a_closed_day_that_is_the_same_is_not_written_again(puller, lake, prometheus):
    one = puller(step=timedelta(minutes=10))
    one.pull_day(DAY)
    files = lake.samples.files()[1]
    one.pull_day(DAY)
    assert lake.samples.files()[1] == files
    prometheus.series = [UP, UP | {"job": "late"}]
    one.pull_day(DAY)
    assert set(files) < set(lake.samples.files()[1]), "what was lacking is beside what was there"
    prometheus.value = "NaN"
    for _ in range(2):
        one.pull_day(DAY)
        files = lake.samples.files()[1]
    one.pull_day(DAY)
    assert lake.samples.files()[1] == files, "NaN is the same as NaN"
    assert lake.sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": 288}]


def test_native_histograms_become_classic_ones(puller, lake, prometheus):
    at = NOON.timestamp() - 60
    histogram = {
        "count": "12", "sum": "3.5",
        "buckets": [[3, "-0.001", "0.001", "2"], [0, "0.5", "1", "4"], [0, "1", "2", "6"]],
    }  # fmt: skip
    metric = {"__name__": "latency", "job": "cart"}
    answer = series(metric=metric, histograms=[[at, histogram], [at + 30, histogram]])
    prometheus.answer = (200, json.dumps(answer).encode())
    assert puller().pull_new(NOON).samples == 14
    rows = lake.sql(
        "SELECT metric, labels['le'] AS le, value FROM metrics WHERE time = $at ORDER BY ALL",
        {"at": NOON - timedelta(seconds=30)},
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("latency_bucket", "+Inf", 12.0),
        ("latency_bucket", "0.001", 2.0),
        ("latency_bucket", "0.5", 2.0),
        ("latency_bucket", "1.0", 6.0),
        ("latency_bucket", "2.0", 12.0),
        ("latency_count", None, 12.0),
        ("latency_sum", None, 3.5),
    ]


@pytest.mark.parametrize(
    "histogram",
    [
        [1],
        [[1, {"count": "x", "sum": "1"}]],
        [[1, {"count": "1"}]],
        [[1, {"count": "1", "sum": "1", "buckets": [1]}]],
    ],
)  # fmt: skip
def test_histograms_that_are_none(puller, prometheus, histogram):
    raw = json.dumps(series(metric=UP, histograms=histogram)).encode()
    prometheus.answer = (200, raw)
    with pytest.raises(SourceError, match="no range of series"):
        puller().pull_new(NOON)


def test_one_source_that_fails_holds_up_no_other(lake, prometheus):
    sources = tuple(
        PrometheusSource(cluster=f"c{n}", url=url, retries=0, settle=timedelta(0))
        for n, url in enumerate([prometheus.url, "http://127.0.0.1:1", prometheus.url, "nonsense"])
    )
    told = []
    with pytest.raises(PullError, match="2 of 4 sources") as refusal:
        told.extend(pull_sources(lake, sources, NOON.date(), NOON))
    assert set(refusal.value.failed) == {"c1", "c3"}
    told = []
    with pytest.raises(PullError):  # noqa: PT012
        for one in pull_sources(lake, sources, DAY, NOON):
            told.append(one)
    assert {one.cluster: one.error is None for one in told} == {
        "c0": True, "c1": False, "c2": True, "c3": False
    }  # fmt: skip
    found = lake.sql("SELECT cluster, count(*) AS n FROM samples GROUP BY ALL ORDER BY 1")
    assert found.to_pylist() == [{"cluster": c, "n": 120 + 2880} for c in ("c0", "c2")]


def test_the_token_is_secret_or_in_a_file(puller, prometheus, tmp_path):
    secret = PrometheusSource(cluster="eu", url="http://x", bearer_token="s3cret")
    assert "s3cret" not in repr(secret) + secret.model_dump_json()
    token = tmp_path / "token"
    one = puller(bearer_token_file=token)
    with pytest.raises(SourceError, match="no token"):
        one.pull_new(NOON)
    token.write_text("first\n")
    one.pull_new(NOON)
    token.write_text("second\n")
    one.pull_new(NOON + timedelta(minutes=1))
    shown = [form["authorization"] for form in prometheus.requests]
    assert shown == ["Bearer first", "Bearer second"]
    with pytest.raises(ValidationError, match="both set"):
        PrometheusSource(cluster="eu", url="x", bearer_token="a", bearer_token_file="b")


@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["metric", "values", "histograms", "count", "sum", "buckets", "__name__"]),
        inner, max_size=4),
    max_leaves=15,
))  # fmt: skip
def test_any_json_is_points_or_a_known_error(result):
    client = RangeClient(PrometheusSource(cluster="eu", url="http://x"), None, no_waits())
    body = json.dumps({"status": "success", "data": {"result": result}}).encode()
    with suppress(IngestError):
        client._read(200, body)
