import json

from tests.orchestration.causes.conftest import AT, Shop


def test_a_list_for_people_and_one_for_scripts(fleetlake, tmp_path):
    shop = Shop(tmp_path)
    given = ("rank-causes", shop.metrics(), "--by", "service", "--at", AT.isoformat())
    done = fleetlake(*given)
    assert done.returncode == 0, done.stderr
    assert "pay" in done.stdout.splitlines()[4]
    done = fleetlake(*given, "--symptom", "web:latency", "--graph", shop.graph(), "--json")
    rows = json.loads(done.stdout)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["entity"] == "pay"
    assert {"score", "metric", "onset", "reason", "confidence", "evidence"} <= set(rows[0])
    assert rows[0]["onset"] == AT.isoformat()


def test_a_question_that_cannot_be_answered_says_what_to_do(fleetlake, tmp_path):
    shop = Shop(tmp_path)
    done = fleetlake("rank-causes", shop.metrics(), "--by", "pod", "--at", AT.isoformat())
    assert done.returncode == 2
    assert "has no column 'pod'" in done.stderr
    assert "Traceback" not in done.stderr
    done = fleetlake("rank-causes", shop.metrics(), "--by", "service", "--at", "noon")
    assert done.returncode == 2
    assert "'noon' is no time" in done.stderr
