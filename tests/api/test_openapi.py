"""The interface as programs see it: a change here is a change for them."""

import re

import pytest

ROUTES = {
    ("post", "/api/v1/write"): {"204", "422"},
    ("post", "/api/v1/push"): {"204", "422"},
    ("post", "/v1/metrics"): {"200", "422"},
    ("post", "/otlp/v1/metrics"): {"200", "422"},
    ("post", "/api/v1/otlp/v1/metrics"): {"200", "422"},
    ("post", "/v1/logs"): {"200", "422"},
    ("post", "/otlp/v1/logs"): {"200", "422"},
    ("post", "/api/v1/otlp/v1/logs"): {"200", "422"},
    ("post", "/logs"): {"200", "422"},
    ("post", "/logs/{partition}"): {"200", "422"},
    ("post", "/api/v2/alerts"): {"200", "422"},
    ("post", "/api/v1/alertmanager/webhook"): {"200", "422"},
    ("post", "/api/v1/events"): {"202", "422"},
    ("get", "/api/v1/clusters"): {"200"},
    ("get", "/api/v1/anomalies"): {"200", "422"},
    ("get", "/api/v1/anomalies/{anomaly_id}"): {"200", "422"},
    ("get", "/api/v1/events"): {"200", "422"},
    ("get", "/api/v1/forecasts"): {"200", "422"},
    ("get", "/api/v1/advice"): {"200", "422"},
    ("post", "/api/v1/advice/placement"): {"200", "422"},
    ("get", "/api/v1/advice/{advice_id}"): {"200", "422"},
    ("post", "/api/v1/advice/{advice_id}/feedback"): {"200", "422"},
    ("get", "/api/v1/incidents"): {"200", "422"},
    ("get", "/api/v1/incidents/{incident_id}"): {"200", "422"},
    ("post", "/api/v1/incidents/{incident_id}/feedback"): {"200", "422"},
    ("get", "/api/v1/sql"): {"200", "406", "413", "422", "503", "504"},
    ("post", "/api/v1/sql"): {"200", "406", "413", "422", "503", "504"},
    ("get", "/healthz"): {"200"},
    ("get", "/readyz"): {"200"},
    ("get", "/metrics"): {"200"},
}


@pytest.fixture(scope="module")
def document(shared):
    reply = shared.http.get("/openapi.json")
    assert reply.status_code == 200
    return reply.json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method, path), operation


def test_routes_and_their_answers(document):
    found = {key: set(operation["responses"]) for key, operation in operations(document)}
    assert found == ROUTES


def test_remote_write_takes_one_parameter(document):
    """It is read beside FastAPI, which would let the documentation say anything."""
    for path in ("/api/v1/write", "/api/v1/push"):
        (cluster,) = document["paths"][path]["post"]["parameters"]
        assert (cluster["name"], cluster["in"], cluster["required"]) == ("cluster", "query", False)


def test_every_route_says_what_it_does(document):
    for key, operation in operations(document):
        assert operation.get("description"), key
        assert operation.get("tags"), key


def test_names_are_those_of_the_tables(document, shared):
    schemas = document["components"]["schemas"]
    for schema, table in (("Anomaly", shared.lake.anomalies), ("Event", shared.lake.events)):
        assert list(schemas[schema]["properties"]) == table.spec.schema.names


def test_the_documentation_is_served(shared):
    reply = shared.http.get("/docs")
    assert reply.status_code == 200
    assert "/openapi.json" in reply.text


def test_the_documentation_needs_no_other_server(shared):
    assert re.findall(r'(?:src|href)="https?://', shared.http.get("/docs").text) == []
