"""A cluster's configuration, and what is said of one that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import BadInput
from realtime.cluster.ray_here import refuse_strangers
from realtime.cluster.settings import config_of_group, load_cluster

CAMERAS = "cameras: [{name: a, source: demo}, {name: b, source: demo}]\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "cluster.yaml"
    file.write_text(CAMERAS + text)
    return file


def test_a_group_gets_its_cameras_and_keeps_its_events_in_its_own_folder(tmp_path: Path) -> None:
    text = "events: {folder: all}\ncluster: {evidence: here}\nweb: {enabled: true}\nverdict: {max_age: 0.7}"
    found = config_of_group(load_cluster(written(tmp_path, text)), ["b"], tmp_path / "own")
    assert [camera.name for camera in found.cameras] == ["b"]
    assert found.events.folder == str(tmp_path / "own")
    assert found.verdict.max_age == 0.7
    assert not found.web.enabled  # the page is the front's


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cluster: {pinned: {c: yard}}", "there is no camera 'c'"),
        ("events: {folder: all}", "give cluster.evidence"),
        ("cluster: {key: k.pem}", "TLS needs certificate, key and authority"),
        ("cluster: {replicas: 4, most_replicas: 2}", "fewer than replicas"),
        ("cluster: {ports: 1}", "did you mean 'port'"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(BadInput, match=line) as said:
        load_cluster(written(tmp_path, text))
    assert "\n" not in str(said.value)


def test_more_cameras_than_one_process_takes_are_no_mistake(tmp_path: Path) -> None:
    many = ", ".join(f"{{name: c{number}, source: demo}}" for number in range(200))
    file = tmp_path / "many.yaml"
    file.write_text(f"cameras: [{many}]")
    assert len(load_cluster(file).cameras) == 200


def test_a_public_address_needs_i_know_and_loopback_nothing() -> None:
    assert refuse_strangers("127.0.0.1", i_know=False) is None
    assert "keep strangers out" in (refuse_strangers("192.168.1.10", i_know=False) or "")
    with pytest.raises(BadInput, match="--i-know"):
        refuse_strangers("8.8.8.8", i_know=False)
    assert refuse_strangers("8.8.8.8", i_know=True) is not None
    for everywhere in ("0.0.0.0", "::"):
        with pytest.raises(BadInput, match="every interface"):
            refuse_strangers(everywhere, i_know=True)
