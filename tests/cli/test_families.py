import json


def asked(fleetlake, *arguments):
    done = fleetlake("families", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_applies_to_a_series_and_to_a_metric(fleetlake):
    (row,) = asked(fleetlake, 'kube_pod_status_phase{phase="Failed", pod="a"}')
    assert (row["scored"], row["reading"], row["direction"]) == (True, "level", "above")
    assert (row["least_absolute"], row["entity"]) == (0.5, "pod")
    both = asked(fleetlake, "kube_pod_status_phase", "process_cpu_seconds_total")
    assert [one["scored"] for one in both] == [True, False, False]
    assert both[2]["family"] == "in detection.exclude"


def test_all_families_and_what_the_settings_say_first(fleetlake, tmp_path):
    settings = 'detection: {families: [{metrics: "up", direction: both}]}\n'
    (tmp_path / "fleetlake.yaml").write_text(settings)
    rows = asked(fleetlake)
    assert rows[0]["metrics"] == "up"
    assert rows[0]["direction"] == "both"
    assert len(rows) > 150
    assert rows[-1]["metrics"] == ".*"
    (row,) = asked(fleetlake, "up")
    assert (row["direction"], row["least_absolute"]) == ("both", 0.5)


def test_what_is_no_metric_is_refused(fleetlake):
    for text in ("up{", "up{job=}", "a b", 'up{job="x" y}'):
        done = fleetlake("families", text)
        assert done.returncode == 2
        assert "error:" in done.stderr


def test_it_is_a_table_for_people(fleetlake):
    done = fleetlake("families", "up")
    assert done.returncode == 0
    assert "target up" in done.stdout
