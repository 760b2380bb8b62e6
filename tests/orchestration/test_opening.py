"""Where the lake of the settings lies."""

import pytest

from lake.errors import LakeNotFoundError, StoreOptionError
from orchestration.opening import open_lake
from orchestration.settings import Settings, load

SECRET = "nobody-is-to-see-this"


def test_it_lies_in_the_data_folder(tmp_path):
    settings = Settings(data_dir=tmp_path)
    assert open_lake(settings).root == tmp_path / "lake"
    assert settings.lake_url == str(tmp_path / "lake")


def test_it_lies_where_the_settings_say(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", lake=str(tmp_path / "elsewhere"))
    assert open_lake(settings).root == tmp_path / "elsewhere"
    assert not (tmp_path / "data").exists()


def test_a_data_folder_may_be_named_in_place_of_the_settings(tmp_path):
    settings = Settings(lake="s3://nowhere/lake")
    with pytest.raises(LakeNotFoundError):
        open_lake(settings, data_dir=tmp_path, create=False)
    assert open_lake(settings, data_dir=tmp_path).root == tmp_path / "lake"


def test_options_come_from_the_file_and_from_variables(tmp_path, monkeypatch):
    path = tmp_path / "fleetlake.yaml"
    path.write_text(
        "lake: s3://bucket/lake\n"
        "storage_options: {access_key_id: me, virtual_hosted_style_request: true}\n"
    )
    monkeypatch.setenv("FLEETLAKE_STORAGE_OPTIONS__SECRET_ACCESS_KEY", SECRET)
    settings = load(path)
    options = {name: value.get_secret_value() for name, value in settings.storage_options.items()}
    assert options == {
        "access_key_id": "me", "secret_access_key": SECRET, "virtual_hosted_style_request": "true"
    }  # fmt: skip
    assert settings.lake_url == "s3://bucket/lake"
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_wrong_option_is_told_without_its_value():
    settings = Settings(lake="s3://bucket/lake", storage_options={"secret_acess_key": SECRET})
    with pytest.raises(StoreOptionError, match="'secret_acess_key' is unknown") as refusal:
        open_lake(settings)
    assert SECRET not in str(refusal.value)
