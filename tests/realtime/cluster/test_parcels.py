"""A bundle comes to a node that has none of it, and is what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.bundle import Bundle, load_bundle
from models.errors import BadInput
from realtime.cluster.parcels import Shelf, fetched, parcel_of


def test_a_node_without_the_bundle_is_sent_it_once(tmp_path: Path, small_bundle: Bundle) -> None:
    parcel, shelf, sent = parcel_of(small_bundle.folder), Shelf(), []
    shelf.show(small_bundle.folder, parcel)

    def give(checksum: str, offset: int) -> bytes:
        sent.append(checksum)
        return shelf.part(checksum, offset)

    folder = fetched(parcel, give, tmp_path)
    assert load_bundle(folder).checksum == small_bundle.checksum
    assert set(sent) == set(parcel.checksums.values())
    sent.clear()
    assert fetched(parcel, give, tmp_path) == folder
    assert sent == []


def test_what_comes_with_another_checksum_is_refused_and_not_kept(tmp_path: Path, small_bundle: Bundle) -> None:
    with pytest.raises(BadInput, match="another checksum"):
        fetched(parcel_of(small_bundle.folder), lambda checksum, offset: b"" if offset else b"no network", tmp_path)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
