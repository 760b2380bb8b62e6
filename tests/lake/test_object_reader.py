"""What DuckDB is given of objects: the files of a snapshot, and nothing else."""

import pytest
from pyarrow import fs

from lake.object_reader import TAIL_BYTES, ObjectReader


@pytest.fixture
def reader(tmp_path):
    (tmp_path / "own").write_bytes(bytes(range(256)) * (TAIL_BYTES // 128))
    (tmp_path / "other").write_bytes(b"secret")
    return ObjectReader(fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), ["s3://own"])


@pytest.mark.parametrize("path", ["s3://other", "s3://own/../other", "own", "s3://*", "other"])
def test_only_the_files_of_the_snapshot_are_there(reader, path):
    assert not reader.exists(path)
    assert reader.glob(path) == []
    with pytest.raises(FileNotFoundError):
        reader.open(path)
    with pytest.raises(FileNotFoundError):
        reader.size(path)


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b"])
def test_nothing_can_be_written(reader, mode):
    with pytest.raises(PermissionError):
        reader.open("s3://own", mode)


@pytest.mark.parametrize("at", [0, 5, TAIL_BYTES - 3, TAIL_BYTES, TAIL_BYTES + 3, 2 * TAIL_BYTES])
@pytest.mark.parametrize("n_bytes", [0, 1, 1000, 4 * TAIL_BYTES])
def test_bytes_are_those_of_the_file(reader, tmp_path, at, n_bytes):
    """Also across the place where what is kept in memory begins."""
    content = (tmp_path / "own").read_bytes()
    with_position = reader.open("s3://own")
    with_position.seek(at)
    piece = with_position.read(n_bytes)
    assert piece == content[at : at + n_bytes]
    assert with_position.tell() == at + len(piece)
    assert reader.size("s3://own") == len(content) == 2 * TAIL_BYTES


def test_an_empty_file(tmp_path):
    (tmp_path / "own").touch()
    files = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    reader = ObjectReader(files, ["s3://own"])
    assert reader.open("s3://own").read(10) == b""
