"""The official client: its ways in, and what is made of answers."""

import json
import threading

import pytest
import yaml
from pydantic import ValidationError

from ingest.errors import ApiServerError, SourceError
from ingest.kubernetes.client import MOST_PLUGINS, Client
from ingest.kubernetes.connection import Connection
from ingest.kubernetes.settings import KubernetesSource

PODS = "/api/v1/pods"


def sent_tokens(api):
    return [
        headers.get("authorization") or headers.get("Authorization") for *_, headers in api.requests
    ]


def test_a_token_file_is_read_anew_for_each_request(api, tmp_path):
    file = tmp_path / "token"
    file.write_text("one\n")
    client = Client(KubernetesSource(cluster="eu", host=api.url + "/", token_file=file))
    client.get(PODS, {})
    file.write_text("two")
    client.get(PODS, {})
    assert sent_tokens(api) == ["Bearer one", "Bearer two"]
    file.unlink()
    with pytest.raises(SourceError, match="token"):
        client.get(PODS, {})


def test_a_kubeconfig_and_its_contexts(api, tmp_path):
    def write(token):
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "other",
            "clusters": [
                {"name": "eu", "cluster": {"server": api.url}},
                {"name": "other", "cluster": {"server": "http://127.0.0.1:1"}},
            ],
            "users": [{"name": "us", "user": {"token": token}}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": "us"}}
                for name in ("eu", "other")
            ],
        }
        path.write_text(yaml.safe_dump(content))

    path = tmp_path / "kubeconfig"
    write("one")
    source = KubernetesSource(cluster="eu", kubeconfig=path, context="eu")
    Client(source).get(PODS, {})
    assert sent_tokens(api) == ["Bearer one"]
    with pytest.raises(SourceError, match="no answer"):
        Client(KubernetesSource(cluster="eu", kubeconfig=path)).get(PODS, {})
    with pytest.raises(SourceError, match="no way in"):
        Client(KubernetesSource(cluster="eu", kubeconfig=path, context="nowhere"))


def test_a_plugin_that_hangs_in_the_middle_is_told(api, tmp_path, monkeypatch):
    path, hang = tmp_path / "kubeconfig", threading.Event()
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "eu",
        "clusters": [{"name": "eu", "cluster": {"server": api.url}}],
        "users": [{"name": "us", "user": {"token": "one"}}],
        "contexts": [{"name": "eu", "context": {"cluster": "eu", "user": "us"}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    client = Client(KubernetesSource(cluster="eu", kubeconfig=path))
    monkeypatch.setattr("ingest.kubernetes.client.TOKEN_SECONDS", 0.02)
    serialize, begun = client._api.param_serialize, []

    def slow(*args, **more):
        begun.append(args)
        hang.wait(30)
        return serialize(*args, **more)

    monkeypatch.setattr(client._api, "param_serialize", slow)
    for _ in range(MOST_PLUGINS + 3):
        with pytest.raises(SourceError, match=r"no token in 0\.02 s: does a plugin"):
            client.get(PODS, {})
    assert len(begun) == MOST_PLUGINS
    hang.set()
    monkeypatch.setattr("ingest.kubernetes.client.TOKEN_SECONDS", 10.0)
    assert client.get(PODS, {})["items"] == []
    assert sent_tokens(api) == ["Bearer one"]


def test_after_a_401_the_kubeconfig_is_read_again(api, tmp_path, fault):
    made = []

    def connect(source):
        made.append(source)
        return Client(source)

    connection = Connection(KubernetesSource(cluster="eu", host=api.url), connect)
    connection.get(PODS, {})
    connection.get(PODS, {})
    assert len(made) == 1
    api.faults.append(fault("status", status=401))
    with pytest.raises(ApiServerError, match="does not know our token"):
        connection.get(PODS, {})
    connection.get(PODS, {})
    assert len(made) == 2
    connection.interrupt()
    with pytest.raises(SourceError, match="interrupted"):
        connection.get(PODS, {})


@pytest.mark.parametrize("content", [None, "", "a: [", "- a list", "clusters: 5"])
def test_no_way_in(content, tmp_path):
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SourceError, match="no way in"):
        Client(KubernetesSource(cluster="eu", kubeconfig=path))


def test_outside_of_a_pod_there_is_no_service_account(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SourceError, match="Service host/port is not set"):
        Client(KubernetesSource(cluster="eu"))


@pytest.mark.parametrize("body", [b"", b"[1]", b"<html>", b'{"a":', b"[" * 100_000])
def test_what_is_no_object_is_an_error(body, api, monkeypatch):
    client = Client(KubernetesSource(cluster="eu", host=api.url))
    monkeypatch.setattr(client, "_pieces", lambda *args: iter([body]))
    with pytest.raises(ApiServerError, match=r"JSON|not an object"):
        client.get(PODS, {})


def test_answers_are_bounded(api, put, raw, monkeypatch):
    monkeypatch.setattr("ingest.kubernetes.client.MAX_ANSWER", 100)
    put("Pod", raw["Pod"]())
    with pytest.raises(ApiServerError, match="longer than 100 bytes"):
        Client(KubernetesSource(cluster="eu", host=api.url)).get(PODS, {})


def test_refusals_say_what_the_server_says(api, fault):
    client = Client(KubernetesSource(cluster="eu", host=api.url))
    api.faults.append(fault("status", status=429, headers={"Retry-After": "7"}))
    with pytest.raises(ApiServerError, match="as the test wants it") as raised:
        client.get(PODS, {})
    assert (raised.value.status, raised.value.retry_after) == (429, 7.0)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({}, "cluster"),
        ({"cluster": ""}, "cluster"),
        ({"cluster": "eu", "host": "10.0.0.1"}, "neither https"),
        ({"cluster": "eu", "host": "https://x", "kubeconfig": "k"}, "one of them"),
        ({"cluster": "eu", "host": "https://x", "context": "k"}, "one of them"),
        ({"cluster": "eu", "token_file": "t"}, "host"),
        ({"cluster": "eu", "ca_file": "t"}, "host"),
        ({"cluster": "eu", "namespaces": ["../etc"]}, "no name of a namespace"),
        ({"cluster": "eu", "namespaces": ["a", "a"]}, "twice"),
        ({"cluster": "eu", "namespaces": ["A"]}, "no name"),
        ({"cluster": "eu", "snapshot_every": 0}, "snapshot_every"),
        ({"cluster": "eu", "page_size": 0}, "page_size"),
        ({"cluster": "eu", "watch_timeout": 0}, "watch_timeout"),
        ({"cluster": "eu", "watch_silence": -1}, "watch_silence"),
        ({"cluster": "eu", "list_timeout": 0}, "list_timeout"),
        ({"cluster": "eu", "ignore_config_maps": "("}, "no regular expression"),
        ({"cluster": "eu", "token": "secret"}, "token"),
    ],
)
def test_wrong_settings(settings, rule):
    with pytest.raises(ValidationError, match=rule):
        KubernetesSource(**settings)


def test_gzip_is_asked_for_lists_alone(api):
    client = Client(KubernetesSource(cluster="eu", host=api.url))
    client.get(PODS, {"limit": 5})
    with client.watch(PODS, {"watch": "true", "resourceVersion": "1", "timeoutSeconds": 1}):
        pass
    _, (_, _, watch) = api.requests
    assert api.requests[0][2]["Accept-Encoding"] == "gzip"
    assert "gzip" not in json.dumps(watch)
