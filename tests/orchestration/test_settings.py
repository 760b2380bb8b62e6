"""Settings: far more ways to be wrong than right."""

import traceback
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from orchestration.errors import SettingsError
from orchestration.settings import Settings, load, load_from_environment

BAD = [
    ("- a list", "list, not a mapping"),
    ("just text", "str, not a mapping"),
    ("12", "int, not a mapping"),
    ("[]", "list, not a mapping"),
    ("false", "bool, not a mapping"),
    ("1: x", "1 is no name"),
    ("a: [1, 2", "no YAML"),
    ("a: b: c", "no YAML"),
    ("colour: red", "colour"),
    ("api: {prot: 80}", "api.prot"),
    ("ingest: {flush: 3}", "ingest.flush"),
    ("detection: {detector: x}", "detection.detector"),
    ("detection: {detectors: [{nane: x}]}", "detection.detectors.0.nane"),
    ("sources: [{cluster: a, url: 'http://x', every: 3}]", "sources.0.every"),
    ("api: {port: 70000}", "70000"),
    ("api: {port: -1}", "api.port"),
    ("api: {port: eighty}", "eighty"),
    ("api: {sql_seconds: 0}", "api.sql_seconds"),
    ("api: {sql_rows: 0}", "api.sql_rows"),
    ("api: {sql_memory_mb: -5}", "api.sql_memory_mb"),
    ("api: 8428", "api"),
    ("ingest: {max_body_bytes: 0}", "ingest.max_body_bytes"),
    ("ingest: {flush_every: soon}", "soon"),
    ("ingest: {flush_samples: 1.5}", "ingest.flush_samples"),
    ("detection: {step: -60}", "must be positive"),
    ("detection: {step: 0}", "must be positive"),
    ("detection: {least_history: P2D, history: P1D}", "longer than history"),
    ("detection: {include: '('}", "no regular expression"),
    ("detection: {exclude: '[a-'}", "no regular expression"),
    ("detection: {exclude: '(?!go_).*'}", "no regular expression"),
    ("detection: {delay: -1}", "detection.delay"),
    ("detection: {refit_every: 0}", "detection.refit_every"),
    ("detection: {least_history: -1}", "detection.least_history"),
    ("detection: {min_length: 0}", "detection.min_length"),
    ("detection: {merge_gap: -1}", "detection.merge_gap"),
    ("detection: {block_series: 0}", "detection.block_series"),
    ("detection: {history: a day}", "detection.history"),
    ("detection: {detectors: [{by: rack}]}", "detection.detectors.0.by"),
    ("detection: {detectors: [{parameters: 3}]}", "detection.detectors.0.parameters"),
    ("detection: {detectors: []}", "detection.detectors"),
    ("detection: {detectors: [{}, {parameters: {memory: 64}}]}", "two detectors"),
    ("sources: [{cluster: a}]", "sources.0.url"),
    ("sources: [{url: 'http://x'}]", "sources.0.cluster"),
    ("sources: [{cluster: a, url: 'http://x'}, {cluster: a, url: 'http://y'}]", "'a' has two"),
    ("sources: {cluster: a, url: 'http://x'}", "sources"),
    ("sources: [{cluster: a, url: 'http://x', step: PT0.5S}]", "sources.0.step"),
    ("first_day: tomorrow", "first_day"),
    ("data_dir: [a]", "data_dir"),
]

GOOD = [
    ("", lambda settings: settings == Settings()),
    ("# nothing but a comment", lambda settings: settings == Settings()),
    ("api: {port: 0}", lambda settings: settings.api.port == 0),
    ("detection: {step: 30}", lambda settings: settings.detection.step == timedelta(seconds=30)),
    ("detection: {step: PT5M}", lambda settings: settings.detection.step == timedelta(minutes=5)),
    ("first_day: 2026-02-03", lambda settings: settings.first_day == date(2026, 2, 3)),
    (
        "detection: {detectors: [{}, {name: entity_memory, by: node}]}",
        lambda settings: [one.by for one in settings.detection.detectors] == [None, "node"],
    ),
    (
        "sources: [{cluster: a, url: 'http://x'}, {cluster: b, url: 'http://x'}]",
        lambda settings: [one.cluster for one in settings.sources] == ["a", "b"],
    ),
]


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "fleetlake.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(("text", "fragment"), BAD)
def test_a_bad_file_is_refused_by_name(written, text, fragment):
    path = written(text)
    with pytest.raises(SettingsError) as refused:
        load(path)
    assert fragment in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(("text", "holds"), GOOD)
def test_a_good_file_is_taken(written, text, holds):
    assert holds(load(written(text)))


def test_more_is_refused_than_taken():
    assert len(BAD) > 3 * len(GOOD)


def test_every_problem_is_named_at_once(written):
    with pytest.raises(SettingsError) as refused:
        load(written("api: {port: 70000, sql_rows: 0}\ncolour: red"))
    for fragment in ("api.port", "api.sql_rows", "colour"):
        assert fragment in str(refused.value)


SECRETS = [
    "ingest: {tokens: [{token: hunter2-short, clusters: 5}]}",
    "ingest: {tokens: [hunter2-short]}",
    "ingest: {tokens: hunter2-short}",
    "ingest: {tokens: {token: hunter2-short}}",
    "ingest: hunter2-short",
    "sources: [{cluster: eu, url: 5, bearer_token: hunter2-short}]",
    "sources: [{cluster: eu, bearer_token: [hunter2-short]}]",
    "sources: [{cluster: eu, password: hunter2-short}]",
    "scrapes: [{job: a, targets: [b], bearer_token: hunter2-short, bearer_token_file: x}]",
    "password: hunter2-short",
    "pasword: hunter2-short",
    "token: 'hunter2-short\n  x: [",
    "token: hunter2-short: x",
    "ingest: {tokens: [{token: hunter2-short]}",
    "api: [hunter2-short]",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_message_holds_no_secret(written, text):
    with pytest.raises(SettingsError) as refused:
        load(written(text))
    shown = "".join(traceback.format_exception(refused.value))
    assert "hunter2" not in shown


def test_a_value_that_is_no_secret_is_shown(written):
    with pytest.raises(SettingsError, match=r"api\.port: .*\(is '70000'\)"):
        load(written("api: {port: 70000}"))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(SettingsError, match="directory"):
        load(tmp_path)


def test_a_file_that_is_no_utf8_is_refused(tmp_path):
    path = tmp_path / "fleetlake.yaml"
    path.write_bytes(b"data_dir: \xff\xfe")
    with pytest.raises(SettingsError, match=r"fleetlake\.yaml"):
        load(path)


def test_a_variable_overrides_the_file(written, monkeypatch):
    monkeypatch.setenv("FLEETLAKE_API__PORT", "9000")
    settings = load(written("api: {port: 8000, host: 0.0.0.0}"))
    assert (settings.api.port, settings.api.host) == (9000, "0.0.0.0")


def test_a_bad_variable_is_refused(monkeypatch):
    monkeypatch.setenv("FLEETLAKE_API__PORT", "70000")
    with pytest.raises(SettingsError, match=r"environment.*api\.port"):
        load(None)


def test_the_named_file_is_read_before_the_one_in_the_folder(written, monkeypatch, tmp_path):
    beside = tmp_path / "work"
    beside.mkdir()
    (beside / "fleetlake.yaml").write_text("api: {port: 1111}")
    monkeypatch.chdir(beside)
    monkeypatch.delenv("FLEETLAKE_CONFIG", raising=False)
    assert load_from_environment().api.port == 1111
    monkeypatch.setenv("FLEETLAKE_CONFIG", str(written("api: {port: 2222}")))
    assert load_from_environment().api.port == 2222


def test_settings_are_frozen():
    settings = Settings()
    for part, name in (
        (settings, "data_dir"),
        (settings.api, "port"),
        (settings.detection, "step"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, getattr(part, name))


def test_settings_survive_the_way_through_json():
    settings = Settings(data_dir=Path("elsewhere"), api={"port": 1})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def _fields(model, prefix=""):
    for name, field in model.model_fields.items():
        inner = field.annotation
        arguments = [inner, *getattr(inner, "__args__", ())]
        nested = [a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)]
        yield f"{prefix}{name}", field, bool(nested)
        for one in nested:
            yield from _fields(one, f"{prefix}{name}.")


def test_every_field_says_what_it_is():
    found = list(_fields(Settings))
    assert {"api.port", "detection.detectors.by", "sources.url"} <= {name for name, *_ in found}
    # A group of settings is described by its class.
    bare = [name for name, field, group in found if not field.description and not group]
    assert bare == []
    assert all(
        field.annotation.__doc__ for _, field, group in found if group and not field.description
    )
