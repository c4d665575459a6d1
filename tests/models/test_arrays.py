"""Arrays that were kept are read back, or are as none."""

import os

import numpy as np
import pytest

from models.arrays import load_arrays, read_arrays
from models.errors import BadInput


def test_kept_arrays_are_read_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", one=np.arange(3), two=np.zeros(2))
    assert read_arrays(tmp_path / "a.npz", "one")["one"].tolist() == [0, 1, 2]
    assert read_arrays(tmp_path / "a.npz", "one", "three") is None


@pytest.mark.parametrize("content", [None, b"", b"no zip", b"PK\x03\x04 broken off"])
def test_what_is_absent_or_damaged_is_as_none(tmp_path, content):
    if content is not None:
        (tmp_path / "a.npz").write_bytes(content)
    assert read_arrays(tmp_path / "a.npz", "one") is None


def test_a_single_array_under_this_name_is_as_none(tmp_path):
    with (tmp_path / "a.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    assert read_arrays(tmp_path / "a.npz", "one") is None


@pytest.mark.parametrize(("kind", "word"), [("pipe", "a pipe"), ("device", "a device"), ("folder", "a folder")])
def test_what_is_no_ordinary_file_is_refused_before_it_is_read(tmp_path, kind, word):
    path = tmp_path / "a.npz"
    {"pipe": os.mkfifo, "device": lambda at: at.symlink_to("/dev/zero"), "folder": os.mkdir}[kind](path)
    with pytest.raises(BadInput, match=rf"a\.npz: is {word}, no ordinary file; give a file"):
        load_arrays(path)
