"""Targets that cannot be scraped, as `/readyz` tells of them."""

from api.routes import health


def test_a_target_that_fails_is_told_and_does_not_make_us_unready(running):
    errors = running.service.scraper.statistics.errors
    errors["http://cart:80/metrics"] = "status 500: no"
    reply = running.http.get("/readyz")
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "ready",
        "errors": {},
        "sources": {"http://cart:80/metrics": "status 500: no"},
    }
    errors.clear()
    assert "sources" not in running.http.get("/readyz").json()


def test_a_fleet_that_fails_does_not_make_a_long_answer(running):
    errors = running.service.scraper.statistics.errors
    errors.update({f"http://cart-{n}/metrics": "down" for n in range(1000)})
    sources = running.http.get("/readyz").json()["sources"]
    assert len(sources) == health.MOST_TARGETS + 1
    assert sources["scrapes"] == f"{1000 - health.MOST_TARGETS} more targets fail"
