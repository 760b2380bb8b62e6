"""`from lake import connect`, as in a notebook; the page's own example among it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from lake import connect
from lake.errors import LakeNotFoundError, QueryError

PAGE = Path(__file__).parents[2] / "docs" / "notebooks.md"


@pytest.fixture
def written(lake, make_samples):
    lake.samples.append(make_samples([1.0, 2.0, 3.0]))
    return lake


def test_it_shows_itself(written):
    opened = connect(written.root)
    assert "3 samples" in repr(opened)
    assert opened.snapshot_id in repr(opened)
    page = opened._repr_html_()
    assert "<td>samples</td><td>3</td>" in page
    assert {"samples", "metrics", "lake_files"} <= set(opened.tables)


def test_it_moves_on_when_it_is_told(written, make_samples):
    opened, fixed = connect(written.root), connect(written.root, as_of={"samples": 1})
    written.samples.append(make_samples([4.0], cluster="us"))
    count = "SELECT count(*) FROM samples"
    assert opened.sql(count).fetchall() == [(3,)]
    assert opened.refresh().sql(count).fetchall() == [(4,)]
    assert fixed.refresh().sql(count).fetchall() == [(3,)]
    assert connect(written.root, as_of=fixed.snapshot_id).sql(count).fetchall() == [(3,)]


def test_relations_are_duckdbs_own_and_outlive_their_query(written):
    opened = connect(written.root)
    relation = opened.sql("SELECT value FROM samples")
    opened.sql("SELECT 1")
    del opened
    assert relation.filter("value > 1").order("value").fetchall() == [(2.0,), (3.0,)]
    assert relation.to_arrow_table()["value"].to_pylist() == [1.0, 2.0, 3.0]


def test_parameters_inspection_and_macros(written, noon):
    opened = connect(written.root)
    later = opened.sql(
        "SELECT count(*) FROM samples WHERE time > $at", {"at": noon + timedelta(seconds=1)}
    )
    assert later.fetchall() == [(1,)]
    assert opened.sql("SELECT count(*) FROM lake_files").fetchall() == [(1,)]
    assert opened.execute("SELECT sum(value) FROM samples").fetchone() == (6.0,)


def test_mistakes_say_where(written):
    opened = connect(written.root)
    with pytest.raises(QueryError, match=r"LINE 1: SELECT nothing"):
        opened.sql("SELECT nothing FROM samples")
    with pytest.raises(QueryError, match=r"LINE 1: SELECT nothing"):
        opened.execute("SELECT nothing FROM samples")


def test_no_lake(tmp_path):
    with pytest.raises(LakeNotFoundError):
        connect(tmp_path / "none")


def test_the_examples_of_the_page_run(written, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 2
    folder = str(written.root)
    names: dict[str, object] = {}
    for block in blocks:
        code = block.replace("fleetlake-data/lake", folder)
        exec(compile(code, str(PAGE), "exec"), names)
    assert names["hourly"].height == 1


def test_a_parameter_may_name_the_past(written):
    notebook, sql = connect(written.root), "SELECT count(*) AS n FROM samples AT (VERSION => $v)"
    wanted = written.sql(sql, {"v": 1})["n"].to_pylist()
    assert notebook.sql(sql, {"v": 1}).to_arrow_table()["n"].to_pylist() == wanted
    assert notebook.execute(sql, {"v": 1}).fetchone() == (wanted[0],)
