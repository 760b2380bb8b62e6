import pytest

from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps import budget
from orchestration.steps.claims import claimed, claimed_metrics, matching, scored_by, scorer
from orchestration.steps.panels import SeriesInfo

METRICS = ("node_load1", "node_load15", "up", "container_cpu")
NODES = DetectorSettings(name="window_memory", metrics="node_.*", parameters={"lengths": [2, 8]})
LOADS = DetectorSettings(name="online_level", metrics="node_load1|up")
REST = DetectorSettings(name="window_memory")
BY_NODE = DetectorSettings(name="entity_memory", by="node")


def series(metric, node="n1"):
    entity = dict.fromkeys(
        ("namespace", "workload", "pod", "container", "node", "service", "job", "instance")
    )
    return SeriesInfo(hash((metric, node)), "c1", metric, False, entity | {"node": node})


ALL = [series(metric, node) for metric in METRICS for node in ("n1", "n2")]


def shares(*among):
    return [{one.metric for one in claimed(ALL, chosen, among)} for chosen in among]


def test_without_metrics_each_scores_everything():
    other = DetectorSettings(name="online_level")
    assert shares(REST, other, BY_NODE) == [set(METRICS)] * 3
    assert claimed(ALL, REST, (REST, other)) is ALL


def test_the_first_that_names_a_metric_takes_it_and_the_rest_is_left_to_the_others():
    assert shares(NODES, LOADS, REST) == [{"node_load1", "node_load15"}, {"up"}, {"container_cpu"}]
    assert shares(LOADS, REST, NODES) == [{"node_load1", "up"}, {"container_cpu"}, {"node_load15"}]


def test_series_and_entities_do_not_take_from_each_other():
    assert shares(NODES, REST, BY_NODE)[2] == set(METRICS)
    named = BY_NODE.model_copy(update={"metrics": "up"})
    assert shares(NODES, REST, named) == [
        {"node_load1", "node_load15"},
        {"up", "container_cpu"},
        {"up"},
    ]


@pytest.mark.parametrize("among", [(NODES, LOADS, REST), (REST, LOADS, NODES), (NODES, REST)])
def test_no_two_of_one_name_score_one_series(among):
    """Their anomalies are told apart by nothing else."""
    for name in {one.name for one in among}:
        own = [claimed_metrics(METRICS, one, among) for one in among if one.name == name]
        assert sum(map(len, own)) == len(set().union(*own))


def test_a_pattern_is_of_the_whole_name():
    assert matching(METRICS, "node_load1") == {"node_load1"}
    assert matching(METRICS, "node_load1|u") == {"node_load1"}
    assert matching(METRICS, "") == set()


def test_which_detector_an_anomaly_is_of():
    among = (NODES, REST, BY_NODE)
    assert scorer("node_load1", "window_memory", among) == NODES
    assert scorer("up", "window_memory", among) == REST
    assert scorer(None, "entity_memory by node", among) == BY_NODE
    assert scorer("up", "pyod.ECOD", among) is None
    assert scored_by("node_load1", (BY_NODE, LOADS, REST)) == LOADS
    assert scored_by("up", (BY_NODE, NODES)) is None


def test_two_of_one_name_need_metrics_of_their_own():
    DetectionSettings(detectors=(NODES, REST))
    with pytest.raises(ValueError, match="give each metrics of its own"):
        DetectionSettings(detectors=(NODES, REST, NODES))
    with pytest.raises(ValueError, match="no regular expression"):
        DetectorSettings(metrics="node_(")


def test_detectors_that_part_the_metrics_share_one_share():
    """As if there were one for all: no family's threshold moves because another has its own."""
    whole = DetectionSettings(detectors=(REST, BY_NODE), also=())
    parted = DetectionSettings(detectors=(NODES, LOADS, REST, BY_NODE), also=())
    assert budget.share(parted) == budget.share(whole)
    twice = DetectionSettings(detectors=(REST, DetectorSettings(name="online_level")), also=())
    assert budget.share(twice) == whole.false_alerts_a_day / 2
