"""The picture of an absence is how many report."""

import numpy as np

from api.pages import rows
from api.pages.line_chart import line_chart
from orchestration.steps import explain
from tests.orchestration.absence.fleet import END, at


def charted(lake, settings, row):
    empty = dict.fromkeys(("namespace", "workload", "pod", "node", "service", "job", "instance"))
    row = {**empty, **row}
    return row, explain.chart(lake, settings, row)


def test_a_target_falls_to_nothing_and_comes_back(fleet, find, lake, settings):
    fleet.silence(at(8), at(9), cluster="c1", job="node-exporter", instance="10.0.0.2:9100")
    row, chart = charted(lake, settings, *find(fleet))
    during = np.array([at(8) <= moment < at(9) for moment in chart.times])
    assert set(chart.actual[during]) == {0.0}
    assert set(chart.actual[~during]) == {5.0} == set(chart.expected)
    assert rows.sentence(row) == "At 23 Nov 08:59 UTC 0 of 5 series reported."
    assert rows.anomaly_row(row)["actual_text"] == "0"
    assert line_chart(chart, row, [])["series"]


def test_what_has_not_happened_yet_is_not_silence(fleet, find, lake, settings):
    fleet.silence(at(11), cluster="c2")
    _, chart = charted(lake, settings, *find(fleet))
    assert np.isnan(chart.actual[[moment >= END for moment in chart.times]]).all()
    assert chart.actual[[at(11, 5) <= moment < END for moment in chart.times]].sum() == 0


def test_of_a_daemon_set_pods_are_counted(fleet, find, lake, settings):
    fleet.silence(at(8), cluster="c1", pod="fluent-cx2v9")
    row, chart = charted(lake, settings, *find(fleet))
    assert (chart.actual[0], chart.actual[-1 - 24]) == (4.0, 3.0)
    assert rows.sentence(row) == "At 23 Nov 11:59 UTC 3 of 4 pods reported."


def test_a_metric_is_missing_from_its_target(fleet, find, lake, settings):
    fleet.silence(at(8), cluster="c1", instance="10.0.0.2:9100", __name__="node_memory_free_bytes")
    row, chart = charted(lake, settings, *find(fleet))
    assert (chart.actual[0], np.nanmin(chart.actual)) == (5.0, 4.0)
    assert rows.anomaly_row(row)["expected_text"] == "5"
