"""What a scrape becomes: labels, reports, ends of series, descriptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.errors import ExpositionError, SourceError
from ingest.remote_write import message
from ingest.scrape.fetch import Reply
from ingest.scrape.labels import encode, merge
from ingest.scrape.source import ScrapeSource
from ingest.scrape.target import Target

AT = 1_772_366_400_000


def source(**settings):
    return ScrapeSource(**{"cluster": "eu", "job": "shop", "targets": ("cart:80",), **settings})


@pytest.fixture
def target():
    return Target(source(), "cart:80")


@pytest.fixture
def scrape(unpack):
    """Scrapes, stores, and gives `{name or labels: (ms, value)}`."""

    def run(target, text, at=AT, openmetrics=False, store=True):
        if text is None:
            done = target.failed(at, 0.25)
        else:
            done = target.answered(Reply(text.encode(), openmetrics), at, 0.25)
        if store:
            target.sent(done)
        found = {}
        for body in done.bodies:
            for labels, ms, value in unpack(body):
                assert (labels["cluster"], labels["job"]) == ("eu", "shop")
                own = {k: v for k, v in labels.items() if k not in {"cluster", "job", "instance"}}
                name = own.pop("__name__") + ("".join(own.values()))
                assert name not in found, "no series twice"
                found[name] = (ms, value)
        return found, done

    return run


def test_a_scrape_is_its_samples_and_its_reports(target, scrape):
    found, done = scrape(target, 'load 1.5\nhits{code="200"} 7\n')
    assert found == {
        "load": (AT, 1.5),
        "hits200": (AT, 7),
        "up": (AT, 1),
        "scrape_duration_seconds": (AT, 0.25),
        "scrape_samples_scraped": (AT, 2),
        "scrape_series_added": (AT, 2),
    }
    assert (done.ok, done.samples, done.stale) == (True, 2, 0)
    assert scrape(target, "load 1.5\nnew 1\n")[0]["scrape_series_added"] == (AT, 1)


def test_a_series_that_is_gone_ends_once(target, scrape):
    scrape(target, "a 1\nb 1\n")
    found, done = scrape(target, "a 2\n", AT + 1)
    assert (found["a"], found["b"]) == ((AT + 1, 2), (AT + 1, "stale"))
    assert done.stale == 1
    assert "b" not in scrape(target, "a 2\n")[0]
    assert scrape(target, "a 2\nb 3\n")[0]["b"] == (AT, 3)


def test_all_series_of_a_target_that_fails_end_once(target, scrape):
    scrape(target, "a 1\nb 1\n")
    found, done = scrape(target, None)
    assert (found["a"], found["b"]) == ((AT, "stale"), (AT, "stale"))
    assert (found["up"], found["scrape_samples_scraped"]) == ((AT, 0), (AT, 0))
    assert not done.ok
    assert set(scrape(target, None)[0]) == {
        "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added"
    }  # fmt: skip
    assert scrape(target, "a 1\n")[0]["scrape_series_added"] == (AT, 1)


def test_a_scrape_that_was_not_stored_is_nobodys_past(target, scrape):
    scrape(target, "a 1\nb 1\n")
    scrape(target, "c 1\n", store=False)
    found, _ = scrape(target, "a 1\n")
    assert found["b"] == (AT, "stale")
    assert "c" not in found


def test_the_order_of_labels_names_no_other_series(target, scrape):
    scrape(target, 'a{x="1",y="2"} 1\n')
    found, done = scrape(target, 'a{ y="2", x="1" } 2\n')
    assert found["a12"] == (AT, 2)
    assert done.stale == 0


def test_the_first_of_duplicates_stays(target, scrape):
    found, done = scrape(target, 'a{x="1"} 1\nb 5\na{x="1"} 2\na{ x="1" } 3\n')
    assert (found["a1"], found["b"], done.duplicates) == ((AT, 1), (AT, 5), 2)
    assert found["scrape_samples_scraped"] == (AT, 4)


def test_stated_times_are_honoured_and_such_series_not_watched(target, scrape):
    found, _ = scrape(target, f"a 1 {AT - 5000}\n")
    assert found["a"] == (AT - 5000, 1)
    assert "a" not in scrape(target, "b 1\n")[0]
    deaf = Target(source(honor_timestamps=False), "cart:80")
    assert scrape(deaf, f"a 1 {AT - 5000}\n")[0]["a"] == (AT, 1)
    assert scrape(deaf, "")[0]["a"] == (AT, "stale")


def test_descriptions_go_along_until_they_are_stored(target, describe):
    text = Reply(b"# HELP a About a.\n# TYPE a gauge\na 1\n# TYPE b counter\n", False)
    first = target.answered(text, AT, 0.1)
    again = target.answered(text, AT, 0.1)
    for one in (first, again):
        assert describe(one.bodies[0]) == {"a": (2, "About a."), "b": (1, "")}
    target.sent(again)
    assert describe(target.answered(text, AT, 0.1).bodies[0]) == {}
    changed = target.answered(Reply(b"# TYPE a counter\na 1\n", False), AT, 0.1)
    assert describe(changed.bodies[0]) == {"a": (1, "About a.")}


def test_a_large_scrape_makes_several_bodies(target, scrape):
    n = 25_000
    found, done = scrape(target, "".join(f'a{{n="{i}"}} {i}\n' for i in range(n)))
    assert len(done.bodies) == 3
    assert len(found) == n + 4


def test_too_many_samples_fail_the_scrape():
    small = Target(source(max_samples=2), "cart:80")
    with pytest.raises(SourceError, match="over 2 samples, at most"):
        small.answered(Reply(b"a 1\nb 1\nc 1\n", False), AT, 0.1)
    assert len(small._parser) == 0, "it was counted before it was parsed"


def test_a_failed_scrape_leaves_nothing_in_the_cache(target, scrape):
    scrape(target, "a 1\nb 1\n")
    wrong = "".join(f"c{i} 1\n" for i in range(1000)) + "{"
    with pytest.raises(ExpositionError):
        scrape(target, wrong)
    assert len(target._parser) == 0
    assert len(target._series) == 2
    found, _ = scrape(target, "a 1\n")
    assert found["b"] == (AT, "stale"), "what was there is still known"


@pytest.mark.parametrize("line", ["a  5", "a 5 ", "a\t5", 'a{x="1"}\t5 ', "a 5\t"])
def test_blanks_do_not_fail_a_later_scrape(target, scrape, line):
    for at in range(AT, AT + 3):
        found, done = scrape(target, f"{line}\n", at)
        assert done.ok
        assert (at, 5.0) in found.values()


def test_openmetrics_that_ends_early_is_not_whole(target):
    with pytest.raises(ExpositionError, match="without # EOF"):
        target.answered(Reply(b"a 1\n", True), AT, 0.1)


def test_exemplars_are_counted(target, scrape):
    found, done = scrape(target, 'a_bucket{le="1"} 3 # {id="x"} 0.4\n# EOF\n', openmetrics=True)
    assert (found["a_bucket1"], done.exemplars) == ((AT, 3), 1)


def test_series_that_change_for_ever_fill_no_memory(target, scrape, monkeypatch):
    monkeypatch.setattr("ingest.scrape.target.SPARE_TEXTS", 10)
    for number in range(100):
        scrape(target, f"keep 1\nm{number} 1\n")
    assert len(target._parser) <= 20
    assert len(target._series) <= 20
    assert scrape(target, "keep 2\n")[0]["m99"] == (AT, "stale")


@pytest.mark.parametrize(
    ("own", "honor", "merged"),
    [
        ({"job": "own"}, False, {"exported_job": "own", "job": "j", "instance": "i"}),
        ({"job": "own"}, True, {"job": "own", "instance": "i"}),
        ({"job": ""}, False, {"job": "j", "instance": "i"}),
        ({"job": ""}, True, {"instance": "i"}),
        (
            {"job": "own", "exported_job": "too"},
            False,
            {"exported_exported_job": "own", "exported_job": "too", "job": "j", "instance": "i"},
        ),
        ({"x": "", "y": "1"}, False, {"y": "1", "job": "j", "instance": "i"}),
    ],
)
def test_whose_labels_count(own, honor, merged):
    assert merge(own, {"job": "j", "instance": "i"}, honor) == merged


@given(
    st.dictionaries(st.text(min_size=1), st.text(min_size=1), max_size=4), st.integers(0, 40_000)
)
def test_labels_are_encoded_as_messages_are(labels, size):
    labels = {name.encode(errors="replace").decode(): value for name, value in labels.items()}
    labels = {name: value.encode(errors="replace").decode() for name, value in labels.items()}
    labels["long"] = "x" * (size + 1)
    assert encode(labels) == message.encode_labels(list(labels.items()))


def test_a_label_cluster_of_the_application_is_not_ours(unpack):
    mine = Target(source(labels={"team": "a"}), "cart:80")
    done = mine.answered(Reply(b'redis{cluster="r7",instance="r"} 1\n', False), AT, 0.1)
    labels = unpack(done.bodies[0])[0][0]
    assert labels == {
        "__name__": "redis", "cluster": "eu", "exported_cluster": "r7", "instance": "cart:80",
        "exported_instance": "r", "job": "shop", "team": "a",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"targets": ()}, "at least 1"),
        ({"targets": ("a:1", "a:1")}, "stands twice"),
        ({"targets": ("a:1/x", "a:1")}, "both instance"),
        ({"targets": ("http://a:1/x", "http://a:1/y")}, "both instance"),
        ({"targets": ("ftp://a",)}, "HTTP address"),
        ({"targets": ("http://user:pw@a",)}, "HTTP address"),
        ({"targets": ("",)}, "HTTP address"),
        ({"targets": ("a:port",)}, "could not be cast"),
        ({"interval": "PT5S"}, "longer than interval"),
        ({"interval": "PT0S"}, "greater than 0"),
        ({"timeout": "PT0S"}, "greater than 0"),
        ({"labels": {"a b": "c"}}, "no name of a label"),
        ({"labels": {"__x": "c"}}, "no name of a label"),
        ({"labels": {"job": "c"}}, "setting of its own"),
        ({"path": "metrics"}, "pattern"),
        ({"cluster": ""}, "at least 1"),
        ({"bearer_token": "x", "bearer_token_file": "/y"}, "both set"),
        ({"relabel": []}, "Extra inputs"),
    ],
)
def test_wrong_settings(wrong, rule):
    with pytest.raises(ValidationError, match=rule):
        source(**wrong)


def test_addresses():
    one = source(targets=("[::1]:9100", "https://a/m?x=y", "b"))
    assert [one.address(name) for name in one.targets] == [
        ("http://[::1]:9100/metrics", "[::1]:9100"),
        ("https://a/m?x=y", "a:443"),
        ("http://b/metrics", "b:80"),
    ]
