"""How a bucket is named and reached: more ways to be wrong than right."""

import pytest

from lake import Lake
from lake.bucket import Bucket
from lake.errors import LakeFolderError, StoreOptionError
from lake.places import described, from_description, open_store
from lake.s3_options import S3Options

KEYS = {"access_key_id": "somebody", "secret_access_key": "hidden"}


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"acces_key_id": "hidden"}, "'acces_key_id' is unknown"),
        ({"AWS_S3_ALLOW_UNSAFE_RENAME": "true"}, "overwrite each other"),
        ({"aws_s3_locking_provider": "dynamodb"}, "overwrite each other"),
        ({"conditional_put": "disabled"}, "is unknown"),
        ({"access_key_id": "hidden"}, "comes with secret_access_key"),
        ({"secret_access_key": "hidden"}, "comes with secret_access_key"),
        ({"endpoint_url": "minio:9000"}, "http:// or https://"),
        ({"endpoint_url": ""}, "not empty"),
        ({"region": 5}, "is a text"),
        ({"virtual_hosted_style_request": "hidden"}, "true or false"),
    ],
)
def test_a_wrong_option_is_refused_and_its_value_is_not_told(options, rule):
    with pytest.raises(StoreOptionError, match=rule) as refusal:
        S3Options.of(options, {})
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize("name", ["AWS_S3_ALLOW_UNSAFE_RENAME", "AWS_S3_LOCKING_PROVIDER"])
def test_an_unsafe_variable_is_refused(name):
    with pytest.raises(StoreOptionError, match=name):
        S3Options.of(KEYS, {name: "true"})


def test_options_go_before_variables_and_names_are_lenient():
    variables = {
        "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://minio:9000",
        "AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "theirs", "AWS_SESSION_TOKEN": "t",
    }  # fmt: skip
    given = {"AWS_ACCESS_KEY_ID": "somebody", "aws_secret_access_key": "hidden", "Region": "local"}
    options = S3Options.of(given, variables)
    assert options == S3Options("local", "http://minio:9000", "somebody", "hidden", "t")
    assert "hidden" not in repr(options)
    delta = options.delta()
    assert delta["aws_conditional_put"] == "etag"
    assert delta["aws_allow_http"] == "true"
    assert delta["aws_secret_access_key"] == "hidden"
    assert S3Options.of({}, {}).delta()["aws_allow_http"] == "false"
    assert S3Options.of({"endpoint": "https://r2"}, {}).delta()["aws_allow_http"] == "false"


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("s3://", "no bucket"),
        ("s3:///lake", "no bucket"),
        ("s3://bucket//lake", "empty part"),
        ("s3://bucket/../lake", "empty part"),
        ("s3://bucket/la ke", "' '"),
        ("s3://bucket/cluster=eu", "'='"),
        ("s3://bucket/50%", "'%'"),
        ("s3://bucket/la*ke", r"'\*'"),
        ("s3://bucket/lake?region=eu", r"'\?'"),
        ("s3://me:hidden@bucket/lake", "holds keys"),
        ("gs://bucket/lake", "neither a folder nor s3"),
        ("S3://bucket/lake", "neither a folder nor s3"),
        ("https://bucket/lake", "neither a folder nor s3"),
        ("file:///lake", "neither a folder nor s3"),
    ],
)
def test_a_wrong_url_is_refused_before_anybody_is_asked(tmp_path, monkeypatch, url, rule):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LakeFolderError, match=rule) as refusal:
        Lake.open(url, storage_options=KEYS)
    assert "hidden" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_takes_no_options(tmp_path):
    with pytest.raises(StoreOptionError, match="a folder takes none"):
        Lake.open(tmp_path / "lake", storage_options={"region": "eu"})


def test_another_process_can_open_the_same_place(tmp_path):
    bucket = Bucket.open("s3://bucket/a/lake/", KEYS, {"AWS_REGION": "eu"})
    again = from_description(described(bucket))
    assert (again.url, again.s3) == ("s3://bucket/a/lake", bucket.s3)
    assert again.below("samples").url == "s3://bucket/a/lake/samples"
    folder = open_store(tmp_path, None, {})
    assert from_description(described(folder)).url == folder.url == str(tmp_path)
