"""Which cameras share a group, and where a group runs."""

from __future__ import annotations

from realtime.cluster.placing import GroupPlan, NodePlan, groups_of, hosts_of, place, waits_for
from realtime.settings.config import CameraConfig


def cameras(*names: str) -> list[CameraConfig]:
    return [CameraConfig(name=name, source="demo") for name in names]


def test_cameras_of_a_pinned_node_share_no_group_with_others() -> None:
    found = groups_of(cameras("a", "b", "c", "d", "e"), {"b": "yard", "d": "yard"}, 2)
    assert [(group.cameras, group.node) for group in found] == [
        (("a", "c"), None),
        (("e",), None),
        (("b", "d"), "yard"),
    ]


def test_a_group_runs_where_there_are_fewest_cameras_per_core() -> None:
    busy = NodePlan("busy", 2, [GroupPlan(0, ("a", "b", "c"))])
    large = NodePlan("large", 8, [GroupPlan(1, ("d", "e", "f", "g"))])
    assert place(GroupPlan(2, ("h",)), [busy, large]) is large


def test_a_pinned_group_waits_for_its_node_and_says_so() -> None:
    gate, other = GroupPlan(0, ("gate",), "yard"), NodePlan("house", 4)
    assert place(gate, [other]) is None
    line = waits_for(gate, [other])
    assert line == "gate: pinned to node yard, which is away; start it, or change cluster.pinned"


def test_the_head_gets_cameras_only_where_it_is_alone_or_reaches_one_that_no_other_does() -> None:
    anywhere, here = GroupPlan(0, ("gate",)), GroupPlan(1, ("door",), "head")
    assert hosts_of(["head", "yard", "house"], [anywhere]) == ["yard", "house"]
    assert hosts_of(["head"], [anywhere]) == ["head"]
    assert hosts_of(["head", "yard"], [anywhere, here]) == ["head", "yard"]
