"""The escapes of `tests/lake/escapes.sql`, over HTTP: every one is refused and none breaks it."""

from pathlib import Path

ESCAPES = Path(__file__).parents[1] / "lake" / "escapes.sql"


def test_escapes_are_refused_over_http(shared):
    lines = [line for line in ESCAPES.read_text("utf-8").split("\n") if " --- " in line]
    assert len(lines) >= 150
    folder = str(shared.service.settings.data_dir)
    for line in lines:
        sql = line.partition(" --- ")[0]
        for name in ("root", "file", "loose", "log"):
            sql = sql.replace("{" + name + "}", f"{folder}/{name}")
        reply = shared.sql(sql)
        assert reply.status_code in {400, 403}, sql
        told = reply.json()
        assert told["title"] in {"bad query", "query not allowed"}, sql
        if told["status"] == 400:
            assert "Parser Error" in told["detail"], sql
    assert shared.sql("SELECT 1").json()["rows"] == [[1]]
