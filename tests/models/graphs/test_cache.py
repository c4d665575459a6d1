"""The cache of derived files: losing it costs time, never correctness."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from models.graphs import cache as module
from models.graphs.cache import cached


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPECTACLEAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def counted(content: bytes) -> tuple[Callable[[], bytes], list[int]]:
    calls: list[int] = []

    def build() -> bytes:
        calls.append(1)
        return content

    return build, calls


def test_the_same_key_is_built_once(folder: Path) -> None:
    build, calls = counted(b"graph")
    assert cached("kind", {"a": 1}, build) == cached("kind", {"a": 1}, build) == b"graph"
    assert len(calls) == 1


def test_another_key_is_built_anew(folder: Path) -> None:
    assert cached("kind", {"a": 1}, lambda: b"one") == b"one"
    assert cached("kind", {"a": 2}, lambda: b"two") == b"two"


def test_a_damaged_file_is_built_again(folder: Path) -> None:
    cached("kind", {"a": 1}, lambda: b"right")
    (path,) = folder.glob("*.bin")
    path.write_bytes(path.read_bytes()[:-1])
    assert cached("kind", {"a": 1}, lambda: b"right") == b"right"
    build, calls = counted(b"")
    assert cached("kind", {"a": 1}, build) == b"right"
    assert not calls


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("SPECTACLEAR_CACHE", str(blocked / "cache"))
    assert cached("kind", {"a": 1}, lambda: b"graph") == b"graph"


def test_a_cache_of_somebody_else_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached("kind", {"a": 1}, lambda: b"graph")

    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(module.os, "utime", forbidden)
    build, calls = counted(b"graph")
    assert cached("kind", {"a": 1}, build) == b"graph"
    assert not calls


def test_two_that_build_at_once_both_get_the_whole_content(folder: Path) -> None:
    barrier = threading.Barrier(2)
    found: list[bytes] = []

    def build() -> bytes:
        barrier.wait(timeout=10)
        return b"x" * 1_000_000

    workers = [threading.Thread(target=lambda: found.append(cached("kind", {}, build))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [b"x" * 1_000_000] * 2
    assert [path.suffix for path in folder.iterdir()] == [".bin"]


def test_the_files_that_were_used_longest_ago_are_dropped_where_they_are_large_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_BYTES", 4 * (32 + 1000))
    for index in range(60):
        cached("small", {"index": index}, lambda: b"")
    assert len(list(folder.glob("small-*"))) == 60  # many may be kept where they are small
    for index in range(9):
        cached("kind", {"index": index}, lambda: bytes(1000))
        cached("kind", {"index": 0}, lambda: pytest.fail("what is used is kept"))
    assert len(list(folder.iterdir())) == 4
