"""Where a job should be submitted, over HTTP."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta

import numpy as np
import pytest

from api.routes import placement
from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import identify
from lake import CommitKey

URL = "/api/v1/advice/placement"
FLAVOR = {"cluster_queue": "research", "flavor": "a100", "resource": "nvidia.com/gpu"}


@pytest.fixture(scope="module")
def put(now):
    """Queues of two clusters, in which a job of four GPUs begins every hour and ends in 30 min."""

    def fill(lake):
        n = 288 * 2
        usage = np.where(np.arange(n) % 12 < 6, 4.0, 0.0)
        times = round(now.timestamp() * 1000) - 300_000 * np.arange(n, 0, -1)
        labels, values = [], []
        for cluster in ("eu-1", "us-2"):
            for name, of, value in (
                ("kueue_cluster_queue_resource_usage", FLAVOR, usage),
                ("kueue_cluster_queue_nominal_quota", FLAVOR, np.full(n, 8.0)),
            ):
                labels.append({"__name__": name, "cluster": cluster} | of)
                values.append(value)
        catalogue = Catalogue()
        named = [identify(one.items()) for one in labels]
        samples = direct.batch(catalogue, named, [times] * len(values), values)
        direct.append(lake, catalogue, samples, CommitKey("test", 1))

    return fill


@pytest.fixture(scope="module")
def pools(shared, put):
    put(shared.lake)
    return shared


def test_the_answer_has_places_waits_and_reasons(pools, now):
    deadline = (now + timedelta(hours=8)).isoformat()
    job = {"gpus": 8, "hours": 1.5, "dataset": "ml/none", "deadline": deadline}
    reply = pools.http.post(URL, json=job)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert [one["cluster"] for one in told["places"]] == ["eu-1", "us-2"]
    first = told["places"][0]
    assert (first["queue"], first["node_pool"], first["gpus"]) == ("research", "a100", 8.0)
    assert 0.0 <= first["wait_hours_lower"] <= first["wait_hours"] <= first["wait_hours_upper"]
    assert first["in_time"] > 0.9
    assert first["done_lower"] < first["done"] < first["done_upper"]
    assert "GPUs are free" in first["reason"]
    assert told["notes"][0].startswith("data set 'ml/none' is unknown")
    assert told["text"].startswith("submit it to eu-1, queue research (a100)")
    assert told["lake_versions"]["samples"] >= 0


BAD = {
    "negative GPUs": ({"gpus": -1, "hours": 1.0}, 400, "bad job"),
    "no GPUs": ({"gpus": 0, "hours": 1.0}, 400, "bad job"),
    "no time": ({"gpus": 1, "hours": 0.0}, 400, "bad job"),
    "a year and more": ({"gpus": 1, "hours": 9000.0}, 400, "bad job"),
    "negative memory": ({"gpus": 1, "hours": 1.0, "memory_bytes": -1.0}, 400, "bad job"),
    "no number": ({"gpus": 1, "hours": "NaN"}, 400, "bad job"),
    "a deadline that is over": (
        {"gpus": 1, "hours": 1.0, "deadline": "2026-11-23T11:59:00Z"}, 400, "bad job",
    ),
    "a deadline of no time zone": (
        {"gpus": 1, "hours": 1.0, "deadline": "2026-11-24T11:59:00"}, 422, "invalid parameters",
    ),
    "half a GPU": ({"gpus": 0.5, "hours": 1.0}, 422, "invalid parameters"),
    "more GPUs than numbers": ({"gpus": "9" * 5000, "hours": 1.0}, 422, "invalid parameters"),
    "GPUs without end": ({"gpus": "Infinity", "hours": 1.0}, 422, "invalid parameters"),
    "hours without end": ({"gpus": 1, "hours": "Infinity"}, 400, "bad job"),
    "negative hours": ({"gpus": 1, "hours": -3.0}, 400, "bad job"),
    "memory without end": (
        {"gpus": 1, "hours": 1.0, "memory_bytes": "Infinity"}, 400, "bad job",
    ),
    "no memory": ({"gpus": 1, "hours": 1.0, "memory_bytes": None}, 422, "invalid parameters"),
    "nothing": ({}, 422, "invalid parameters"),
    "a word that is not known": ({"gpus": 1, "hours": 1.0, "gpu": 3}, 422, "invalid parameters"),
    "a long name": ({"gpus": 1, "hours": 1.0, "dataset": "x" * 501}, 422, "invalid parameters"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused(pools, problem, name):
    job, status, title = BAD[name]
    problem(pools.http.post(URL, json=job), status, title)


def test_what_no_pool_ever_holds_is_an_answer_with_reasons(pools):
    told = pools.http.post(URL, json={"gpus": 1000, "hours": 1.0}).json()
    assert told["places"] == []
    assert [one["reason"] for one in told["refused"]] == [
        "it has too few GPUs, even when none is in use"
    ] * 2
    assert told["text"].startswith("no pool can be advised: eu-1, queue research (a100): it has")


@pytest.mark.parametrize("gpus", [10**9, 10**30])
def test_so_many_gpus_has_no_pool(pools, gpus):
    told = pools.http.post(URL, json={"gpus": gpus, "hours": 1.0})
    assert told.status_code == 200, told.text
    assert [one["reason"] for one in told.json()["refused"]] == [
        "it has too few GPUs, even when none is in use"
    ] * 2


def test_while_another_question_is_answered_it_is_told_when_to_ask_again(
    pools, problem, monkeypatch
):
    monkeypatch.setattr(placement, "LONGEST_WAIT", 0.2)
    with placement.ONE_AT_A_TIME:
        reply = pools.http.post(URL, json={"gpus": 1, "hours": 1.0})
    assert "0.2 s" in problem(reply, 503, "too many questions")
    assert int(reply.headers["Retry-After"]) > 0
    # And what was asked in vain has left nothing behind.
    assert pools.http.post(URL, json={"gpus": 1, "hours": 1.0}).status_code == 200


def test_few_wait_and_the_others_are_told_at_once(pools, problem, monkeypatch):
    """Each that waits holds a thread of those that answer everything else."""
    monkeypatch.setattr(placement, "LONGEST_WAIT", 20.0)
    asked = [{"gpus": 1, "hours": 1.0}] * (placement.MOST_WAITING + 1)
    with ThreadPoolExecutor(len(asked)) as people:
        with placement.ONE_AT_A_TIME:
            replies = [people.submit(pools.http.post, URL, json=one) for one in asked]
            first = next(as_completed(replies, timeout=10.0)).result()
            problem(first, 503, "too many questions")
            assert sum(one.done() for one in replies) == 1
        assert sorted(one.result().status_code for one in replies) == [200] * (len(asked) - 1) + [
            503
        ]


def test_a_question_that_fails_lets_the_next_one_in(pools, problem):
    problem(pools.http.post(URL, json={"gpus": 0, "hours": 1.0}), 400, "bad job")
    assert pools.http.post(URL, json={"gpus": 1, "hours": 1.0}).status_code == 200


def test_a_caller_of_one_cluster_reads_nothing_of_the_other(start, put):
    token = "0123456789abcdef"
    with start(api={"tokens": [{"token": token, "clusters": ["us-2"]}]}) as one:
        put(one.lake)
        assert one.http.post(URL, json={"gpus": 2, "hours": 1.0}).status_code == 401
        reply = one.http.post(
            URL, json={"gpus": 2, "hours": 1.0}, headers={"Authorization": f"Bearer {token}"}
        )
        assert [place["cluster"] for place in reply.json()["places"]] == ["us-2"]
        assert "eu-1" not in reply.text
