import os
import socket
from pathlib import Path

import pytest

from models.errors import BadInput
from models.files import inside, read_regular, whole_file


def test_a_file_up_to_the_limit_is_read_and_a_link_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "file", 4) == read_regular(tmp_path / "link", 4) == b"1234"
    with pytest.raises(BadInput, match="file: is larger than the 3 bytes"):
        read_regular(tmp_path / "file", 3)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: os.mkfifo(path), "is a pipe, no ordinary file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, no ordinary file"),
        (lambda path: path.mkdir(), "is a folder, no ordinary file"),
        (lambda path: path.symlink_to(path.name), "cannot be read"),
        (lambda path: path.symlink_to("/proc/self/mem"), "cannot be read|larger"),
        (lambda path: None, r"cannot be read \(No such file or directory\)"),
    ],
)
def test_what_is_no_ordinary_file_is_refused_without_waiting(make, problem: str, tmp_path: Path) -> None:
    make(tmp_path / "x")
    with pytest.raises(BadInput, match=f"x: {problem}"):
        read_regular(tmp_path / "x", 1000)


def test_a_socket_and_a_name_with_a_nul_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(BadInput, match="cannot be read"):
            read_regular(tmp_path / "s", 1000)
    with pytest.raises(BadInput, match="cannot be read"):
        read_regular(tmp_path / "a\0b", 1000)


@pytest.mark.parametrize("name", ["..", ".", "", "/etc", "../x", "a/b", "a\\b", "C:x", "a\0", "x" * 256, "ä" * 128])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not the name of anything in this folder"):
        inside(tmp_path, "fine", name)


@pytest.mark.parametrize("name", ["a", "...", "..a", "a b", "人物", "-x", "x" * 255])
def test_a_plain_name_is_one_step_down(name: str, tmp_path: Path) -> None:
    assert inside(tmp_path, "person", name) == tmp_path / "person" / name


def test_a_failed_block_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)  # nothing longer can lie beside it
    with whole_file(target) as file:
        file.write(b"old")

    def interrupted() -> None:
        with whole_file(target) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
