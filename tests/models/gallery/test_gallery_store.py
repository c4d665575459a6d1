"""The file: whole or not at all, ten states back, one change at a time, and nothing from a stranger runs."""

import errno
import io
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up import gallery, person

from models.errors import BadInput
from models.gallery.gallery import Gallery
from models.gallery.store import STATES, GalleryStore


@pytest.fixture
def store(tmp_path: Path) -> GalleryStore:
    """A gallery of Ann and Bob on disk."""
    found = GalleryStore(tmp_path / "gallery.npz", patience=5)
    found.change(lambda people: people, start=lambda: gallery("Ann", "Bob"))
    return found


def test_what_was_written_is_read(store: GalleryStore) -> None:
    written, found = gallery("Ann", "Bob"), store.read()
    assert (found.labels, found.trunk, found.cover, found.views) == (
        written.labels, written.trunk, written.cover, written.views
    )  # fmt: skip
    for before, after in zip(written.people, found.people, strict=True):
        np.testing.assert_allclose(after.means, before.means, atol=1e-3)
        np.testing.assert_allclose(np.linalg.norm(after.means, axis=1), 1, rtol=1e-6)
        np.testing.assert_array_equal(after.vectors, before.vectors)
        assert (after.counts, after.digests, after.added, after.consent) == (
            before.counts, before.digests, before.added, before.consent
        )  # fmt: skip


def test_nobody_is_a_gallery_too(tmp_path: Path) -> None:
    store = GalleryStore(tmp_path / "new" / "gallery.npz")
    store.change(lambda people: people, start=gallery)
    assert store.read().labels == ()


def test_fifty_people_of_twenty_pictures_take_less_than_a_megabyte(tmp_path: Path) -> None:
    store = GalleryStore(tmp_path / "gallery.npz")
    people = tuple(person(f"p{i}", i, 20, size=256, views=5) for i in range(50))
    store.change(lambda _: Gallery(people, "t", "c", tuple("abcde")), start=gallery)
    assert store.path.stat().st_size < 1_000_000


def test_only_its_owner_may_read_it(store: GalleryStore) -> None:
    store.change(lambda people: people.remove("Bob"))
    files = [store.path, *store.states()]
    assert {path.stat().st_mode & 0o077 for path in [*files, store.states_folder]} == {0}


def test_undo_goes_back_state_by_state(store: GalleryStore) -> None:
    store.change(lambda people: people.rename("Bob", "Rob"))
    store.change(lambda people: people.remove("Ann"))
    assert store.undo().labels == ("Ann", "Rob")
    assert store.undo().labels == store.read().labels == ("Ann", "Bob")


def test_the_first_change_can_be_undone(tmp_path: Path) -> None:
    store = GalleryStore(tmp_path / "gallery.npz")
    store.change(lambda people: people.add(person("Ann", 1)), start=gallery)
    assert store.undo().labels == ()
    with pytest.raises(BadInput, match="nothing to undo"):
        store.undo()


def test_the_last_ten_states_are_kept(store: GalleryStore) -> None:
    for number in range(STATES + 3):
        store.change(lambda people, n=number: people.rename(people.labels[1], f"Bob {n}"))  # type: ignore[misc]
    assert len(store.states()) == STATES
    assert GalleryStore(store.path).undo().labels == ("Ann", f"Bob {STATES + 1}")


def test_a_purged_person_comes_back_by_no_undo(store: GalleryStore) -> None:
    for number in range(3):
        store.change(lambda people, n=number: people.rename("Ann", "Ann").add(person(f"p{n}", 10 + n)))  # type: ignore[misc]
    assert "Bob" not in store.purge("bob").labels
    states = [store.read(), *[GalleryStore(path).read() for path in store.states()]]
    assert len(states) > 3
    assert all(state.find("Bob") is None and state.find("Ann") for state in states)
    with pytest.raises(BadInput, match="nobody has that name"):
        store.purge("Bob")


def test_who_was_removed_already_is_purged_from_the_states(store: GalleryStore) -> None:
    store.change(lambda people: people.remove("Bob"))
    store.purge("Bob")
    assert {GalleryStore(state).read().labels for state in store.states()} == {("Ann",)}


def test_a_refused_change_leaves_everything_as_it_was(store: GalleryStore) -> None:
    before, states = store.digest(), store.states()
    with pytest.raises(BadInput, match="nobody has that name"):
        store.change(lambda people: people.remove("Cid"))
    assert (store.digest(), store.states()) == (before, states)


@pytest.mark.parametrize("written_before", [0, 1])
def test_a_full_disk_leaves_the_old_state(
    store: GalleryStore, monkeypatch: pytest.MonkeyPatch, written_before: int
) -> None:
    before, states, really = store.digest(), store.states(), os.fsync
    calls: list[int] = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > written_before:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"No space left on device.*the old state stays"):
        store.change(lambda people: people.remove("Ann"))
    assert (store.digest(), store.states()) == (before, states)
    assert not list(store.path.parent.rglob("*.part"))


def test_two_changes_at_once_both_happen(store: GalleryStore) -> None:
    both = threading.Barrier(2)

    def add(name: str, seed: int) -> None:
        both.wait()
        GalleryStore(store.path, patience=20).change(lambda people: people.add(person(name, seed)))

    threads = [threading.Thread(target=add, args=(f"new {i}", 20 + i)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.read().labels) == ["Ann", "Bob", "new 0", "new 1"]


def test_a_change_that_waits_too_long_says_so(store: GalleryStore) -> None:
    def meanwhile(people: Gallery) -> Gallery:
        with pytest.raises(BadInput, match="another change is being made"):
            GalleryStore(store.path, patience=0.05).change(lambda same: same)
        return people

    store.change(meanwhile)


def _archive(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"not a zip", _archive(means=np.zeros(3)), _archive(means=np.array([{}], dtype=object))],
    ids=["empty", "cut off", "no archive", "other arrays", "pickled"],
)
def test_what_is_no_gallery_is_refused(store: GalleryStore, content: bytes) -> None:
    store.path.write_bytes(content)
    with pytest.raises(BadInput, match=r"gallery.npz: was changed or damaged"):
        store.read()


def test_one_changed_byte_is_noticed(store: GalleryStore) -> None:
    content = bytearray(store.path.read_bytes())
    for place in range(60, len(content), 997):
        changed = bytes(content[:place]) + bytes([content[place] ^ 0x10]) + bytes(content[place + 1 :])
        store.path.write_bytes(changed)
        try:
            assert store.read().labels == ("Ann", "Bob")  # a byte that nobody reads, of the archive's own listing
        except BadInput:
            continue


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(store: GalleryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.gallery.file._MAX_UNPACKED", 2 << 20)
    stream = io.BytesIO()
    np.savez_compressed(stream, means=np.zeros((3 << 20,), np.uint8))
    store.path.write_bytes(stream.getvalue())
    with pytest.raises(BadInput, match="unpacks to more than 2 MiB"):
        store.read()


def test_a_folder_and_a_pipe_are_no_gallery(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(BadInput, match="no ordinary file"):
            GalleryStore(path).read()


def test_a_missing_gallery_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none.npz: cannot be read \(No such file"):
        GalleryStore(tmp_path / "none.npz").read()
