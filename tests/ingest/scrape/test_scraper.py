"""Real HTTP: formats, limits, and that no target's trouble is another's."""

import gzip
import socket
import threading
import time
from datetime import timedelta

import pytest

from ingest.errors import InvalidLabelsError, LogError, OverloadedError, SourceError
from ingest.scrape.source import ScrapeSource
from lake import utc_now
from orchestration.scraper import Scraper, first_after
from tests.patience import PATIENCE


def reply(handler, body=b"load 1\n", kind="text/plain; version=0.0.4", status=200, **headers):
    handler.send_response(status)
    if kind:
        handler.send_header("Content-Type", kind)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def scrape(receiver):
    """Starts a scraper of one job with these targets.

    It has more time than to the next scrape unless the test is about that: a busy machine is no
    target that is down.
    """
    started = []

    def start(*targets, to=None, timeout=None, **settings):
        settings = {"interval": timedelta(seconds=0.2)} | settings
        settings["timeout"] = timeout or settings["interval"]
        source = ScrapeSource(cluster="eu", job="shop", targets=targets, **settings)
        if timeout is None:
            source = source.model_copy(update={"timeout": timedelta(seconds=PATIENCE)})
        scraper = Scraper(to or receiver, (source,))
        scraper.start()
        started.append(scraper)
        return scraper

    yield start
    for scraper in started:
        scraper.stop()


def test_targets_are_scraped_at_their_rhythm(serve, scrape, receiver, until):
    scraper = scrape(serve(reply))
    until(lambda: len(receiver.of("load")) >= 5)
    scraper.stop()
    times = sorted(ms for labels, ms, _ in receiver.samples if labels["__name__"] == "load")
    assert len(set(times)) == len(times)
    # One that is late is followed by one that is not; all keep to the rhythm.
    assert times[-1] - times[0] >= (len(times) - 2) * 200
    assert set(receiver.of("up")) == {1.0}
    held = len(receiver.samples)
    time.sleep(0.3)
    assert len(receiver.samples) == held, "stopped means stopped"
    assert scraper.statistics.samples["eu"] == len(times)
    (sender,) = receiver.senders
    assert (sender.cluster, sender.allowed) == ("eu", frozenset({"eu"}))


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_stops_no_scrape(serve, receiver, until, hours):
    ahead = [timedelta(0)]
    source = ScrapeSource(
        cluster="eu", job="shop", targets=(serve(reply),), interval=timedelta(seconds=0.2),
        timeout=timedelta(seconds=0.2),
    )  # fmt: skip
    scraper = Scraper(receiver, (source,), lambda: utc_now() + ahead[0])
    scraper.start()
    try:
        until(lambda: len(receiver.of("load")) >= 2)
        ahead[0] = timedelta(hours=hours)
        held = len(receiver.of("load"))
        until(lambda: len(receiver.of("load")) >= held + 3)
    finally:
        scraper.stop()


def test_what_a_target_is_asked(serve, scrape, receiver, until, tmp_path):
    asked = []
    token = tmp_path / "token"
    token.write_text("t0ken\n")

    def answer(handler):
        asked.append((handler.path, dict(handler.headers)))
        reply(handler)

    timeout = timedelta(seconds=0.2)
    scrape(serve(answer), path="/probe?x=y", bearer_token_file=token, timeout=timeout)
    until(lambda: receiver.of("load"))
    path, headers = asked[0]
    assert path == "/probe?x=y"
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["Accept"].startswith("application/openmetrics-text;version=1.0.0")
    assert "text/plain;version=0.0.4" in headers["Accept"]
    assert headers["Accept-Encoding"] == "gzip"
    assert headers["X-Prometheus-Scrape-Timeout-Seconds"] == "0.2"


def test_gzip_and_openmetrics(serve, scrape, receiver, until):
    kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    body = b"# TYPE load gauge\nload 4 1772366400.5\n# EOF\n"

    def answer(handler):
        reply(handler, gzip.compress(body), kind, Content_Encoding="gzip")

    scrape(serve(answer))
    until(lambda: receiver.of("load"))
    found = {ms for labels, ms, _ in receiver.samples if labels["__name__"] == "load"}
    assert found == {1_772_366_400_500}


def cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"load 1\n")
    handler.wfile.flush()
    handler.connection.close()


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"load 1\n" * 10_000)


def trickle(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"load 1\n")
        time.sleep(0.05)


def loop(handler):
    reply(handler, b"", status=302, Location=handler.path)


BAD = {
    "500": (lambda handler: reply(handler, b"sorry", status=500), "status 500: sorry"),
    "html": (lambda handler: reply(handler, b"<html>", "text/html"), "Content-Type"),
    "json": (lambda handler: reply(handler, b"{}", "application/json"), "Content-Type"),
    "nonsense": (lambda handler: reply(handler, b"load\n"), "line 1"),
    "no end": (lambda h: reply(h, b"a 1\n", "application/openmetrics-text"), "without # EOF"),
    "cut": (cut, "RemoteProtocolError"),
    "slow": (lambda handler: time.sleep(5), "no whole answer within 1 s"),
    "trickle": (trickle, "no whole answer within 1 s"),
    "endless": (endless, "over 100000 bytes"),
    "bomb": (
        lambda h: reply(h, gzip.compress(b"#\n" * 100_000), Content_Encoding="gzip"),
        "at most 100000",
    ),
    "not gzip": (lambda h: reply(h, b"load 1\n", Content_Encoding="gzip"), "not gzip"),
    "br": (lambda h: reply(h, b"x", Content_Encoding="br"), "Content-Encoding is 'br'"),
    "loop": (loop, "TooManyRedirects"),
}


def test_a_target_that_misbehaves_is_down_and_holds_up_no_other(serve, scrape, receiver, until):
    bad = {name: serve(answer) for name, (answer, _) in BAD.items()}
    bad["nobody"] = "127.0.0.1:1"
    good = serve(reply)
    second = timedelta(seconds=1)
    scraper = scrape(good, *bad.values(), interval=second, timeout=second, max_body_bytes=100_000)
    until(lambda: all(len(receiver.of("up", each)) >= 2 for each in bad.values()))
    until(lambda: len(receiver.of("load", good)) >= 2)
    errors = dict(scraper.statistics.errors)
    for name, address in bad.items():
        assert set(receiver.of("up", address)) == {0.0}, name
        assert receiver.of("load", address) == [], name
        told = errors[f"http://{address}/metrics"]
        expected = BAD[name][1] if name in BAD else "ConnectError"
        # On a busy machine its time may be up before its fault has shown.
        assert expected in told or "no whole answer within" in told, (name, told)
    assert f"http://{good}/metrics" not in errors
    assert set(receiver.of("up", good)) == {1.0}
    assert scraper.statistics.failures["eu"] >= 2 * len(bad)


def test_many_that_hang_hold_up_nobody(serve, scrape, receiver, until):
    # Connections are made and never answered; all of 127/8 is this machine.
    silent = socket.create_server(("0.0.0.0", 0), backlog=256)
    hanging = [f"127.0.1.{n}:{silent.getsockname()[1]}" for n in range(1, 200)]
    good = serve(reply)
    scrape(good, *hanging, interval=timedelta(seconds=2), timeout=timedelta(seconds=2))
    # One after the other they take 400 s a round.
    until(lambda: len(receiver.of("load", good)) >= 2, PATIENCE)
    assert not any(receiver.of("up", "127.0.1."))
    silent.close()


def test_series_of_a_target_that_dies_end(serve, scrape, receiver, until):
    dead = threading.Event()
    address = serve(lambda handler: reply(handler, status=503 if dead.is_set() else 200))
    scrape(address)
    until(lambda: receiver.of("load"))
    dead.set()
    until(lambda: receiver.of("load")[-1] == "stale")
    dead.clear()
    until(lambda: receiver.of("load")[-1] == 1.0)
    assert receiver.of("load").count("stale") == 1


def test_a_receiver_that_is_full_loses_scrapes_and_no_ends(serve, scrape, receiver, until):
    name = ["first"]
    scraper = scrape(serve(lambda handler: reply(handler, f"{name[0]} 1\n".encode())))
    until(lambda: receiver.of("first"))
    for error in (OverloadedError(9, 1, 5), LogError("disk full")):
        lost = scraper.statistics.lost["eu"]
        receiver.refuse = error
        until(lambda lost=lost: scraper.statistics.lost["eu"] > lost)
    name[0] = "second"
    receiver.refuse = None
    until(lambda: receiver.of("second"))
    assert receiver.of("first")[-1] == "stale"
    assert set(receiver.of("up")) == {1.0}, "the target was never down"


def test_what_the_receiver_refuses_is_a_failed_scrape(serve, scrape, receiver, until):
    receiver.refuse = InvalidLabelsError("{}", "label length")
    scraper = scrape(serve(reply))
    until(lambda: scraper.statistics.refused["eu"])
    assert "label length" in next(iter(scraper.statistics.errors.values()))
    receiver.refuse = None
    until(lambda: receiver.of("load"))
    until(lambda: not scraper.statistics.errors)


def test_into_a_real_receiver_and_the_lake(serve, scrape, open_receiver_now, lake, until):
    body = b'# HELP load About load.\n# TYPE load gauge\nload{pod="cart-0"} 2.5\n'
    scraper = scrape(serve(lambda handler: reply(handler, body)), to=open_receiver_now)
    until(lambda: scraper.statistics.samples["eu"] >= 3)
    scraper.stop()
    open_receiver_now.flush()
    rows = lake.sql(
        "SELECT DISTINCT cluster, job, pod, kind, value FROM metrics WHERE metric = 'load'"
    )
    assert rows.to_pylist() == [
        {"cluster": "eu", "job": "shop", "pod": "cart-0", "kind": "gauge", "value": 2.5}
    ]
    up = lake.sql("SELECT count(*) AS n, min(value) AS least FROM samples WHERE metric = 'up'")
    (told,) = up.to_pylist()
    assert told["n"] >= 3
    assert told["least"] == 1


def test_nothing_to_scrape_is_nothing_to_do(receiver):
    scraper = Scraper(receiver, ())
    scraper.start()
    scraper.stop()


def test_wrong_certificates_stop_the_start(receiver, tmp_path):
    missing = tmp_path / "ca.pem"
    source = ScrapeSource(cluster="eu", job="shop", targets=("a:1",), ca_file=missing)
    with pytest.raises(SourceError, match="no certificates"):
        Scraper(receiver, (source,))


def test_a_token_file_that_is_not_there_fails_the_scrape(serve, scrape, receiver, until, tmp_path):
    scraper = scrape(serve(reply), bearer_token_file=tmp_path / "none")
    until(lambda: receiver.of("up"))
    assert set(receiver.of("up")) == {0.0}
    assert "no token" in next(iter(scraper.statistics.errors.values()))


def test_targets_are_spread_over_the_interval():
    now, interval = utc_now(), timedelta(seconds=30)
    due = [first_after(now, interval, f"eu http://10.0.0.{n}/metrics") for n in range(200)]
    assert all(timedelta(0) <= each - now < interval for each in due)
    assert len({(each - now) // timedelta(seconds=1) for each in due}) == 30


def test_a_target_that_fails_and_recovers_is_logged_once_each(
    serve, scrape, receiver, until, caplog
):
    status = [200]
    target = serve(lambda handler: reply(handler, status=status[0]))
    scraper = scrape(target)
    until(lambda: receiver.of("load"))
    status[0] = 503
    until(lambda: receiver.of("up").count(0.0) >= 3)
    assert "status 503" in scraper.statistics.errors[f"http://{target}/metrics"]
    status[0] = 200
    until(lambda: receiver.of("up")[-1] == 1.0)
    until(lambda: not scraper.statistics.errors)
    scraper.stop()
    told = [one for one in caplog.records if one.name == "orchestration.scraper"]
    assert [one.getMessage()[:18] for one in told] == ["a target fails: so", "a target answers a"]
    assert {(one.cluster, one.url) for one in told} == {("eu", f"http://{target}/metrics")}
