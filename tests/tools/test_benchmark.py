"""The benchmark on a small untrained bundle: live, soak, the command."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from models.bundle import Bundle
from models.errors import BadInput
from tools import benchmark
from tools.bench import charts, live, soak, tables
from tools.bench import single_run as simple
from tools.bench.kinds import KINDS


def test_cases_are_combinations_with_a_face_for_every_camera() -> None:
    like = live.Case()
    pairs = [(case.faces, case.cameras) for case in live.cases_of([1, 4], [1, 2], like)]
    assert pairs == [(1, 1), (4, 1), (4, 2)]
    assert [(case.faces, case.cameras) for case in live.cases_of([8, 16], [1, 2], like)] == [(8, 1), (8, 2), (16, 2)]
    assert (8, 4) in [(case.faces, case.cameras) for case in live.cases_of([], [], like)]
    (own,) = live.cases_of([], [], replace(like, source="0"))
    assert (own.source, own.cameras) == ("0", 1)
    with pytest.raises(BadInput, match="at least one face"):
        live.cases_of([1], [2], like)


def test_a_live_run_reports_rates_ages_and_what_it_used(small_bundle: Bundle) -> None:
    case = live.Case(
        faces=2,
        cameras=2,
        seconds=2.0,
        warm_up=1.5,
        bundle=str(small_bundle.folder),
        engine="onnxruntime",
        threads=1,
        clip_seconds=1.2,
    )
    (row,) = live.measure([case], isolated=False)
    assert row["cameras"] == len(row["displayed_fps"]) == 2
    assert 5 < row["displayed_fps_lowest"] <= 27
    assert row["decisions"] > 0
    assert row["decisions_per_second_and_face"] == pytest.approx(row["decisions_per_second"] / 2, abs=0.01)
    assert 0 < row["frame_age_ms"]["p50"] <= row["frame_age_ms"]["p95"]
    assert row["verdict_age_ms"]["p50"] > 0
    assert row["cpu_percent_of_a_core"] > 0
    assert row["rss_mb"] > 50
    assert row["threads"] == {"inference": 1, "detection": 1}
    shown = sum(row["displayed_fps"].values()) * row["seconds"]
    assert sum(row["frame_age_classes"].values()) == pytest.approx(shown, abs=2)
    tables.live_pictures([row])
    charts.chart_of("live", [row])
    json.dumps(row, allow_nan=False)


def samples(rss: float = 0.0, threads: int = 0, age: float = 0.0) -> list[dict[str, object]]:
    """Ten minutes; memory, threads and age grow by so much from the second minute to the end."""
    rows: list[dict[str, object]] = []
    for seconds in range(0, 601, 5):
        share = max(0.0, (seconds - 120) / 480)
        start = 100 * min(0, seconds - 120) / 120  # 100 MB are taken while it warms up
        rows.append(
            {
                "seconds": float(seconds),
                "rss_mb": 500 + start + rss * share,
                "threads": 20 + round(threads * share),
                "files": 30,
                "frame_age_ms": {"p50": 20.0, "p95": 40 + age * share, "p99": 50.0},
            }
        )
    return rows


@pytest.mark.parametrize(
    ("grows", "flat"),
    [({}, True), ({"rss": 8}, True), ({"rss": 40}, False), ({"threads": 5}, False), ({"age": 60}, False)],
)
def test_a_soak_is_flat_unless_memory_threads_or_age_grow(grows: dict[str, int], flat: bool) -> None:
    found = soak.growth(samples(**grows))  # type: ignore[arg-type]
    assert found["flat"] is flat
    assert found["warm_up_seconds"] == 120.0


def test_a_short_soak_gives_no_verdict() -> None:
    assert soak.growth(samples()[:3])["flat"] is None


def test_a_soak_connects_again_and_again(small_bundle: Bundle, tmp_path: Path) -> None:
    plan = soak.Plan(
        minutes=3.5 / 60,
        cut_every=0.6,
        sample_every=0.25,
        bundle=str(small_bundle.folder),
        engine="onnxruntime",
        threads=1,
        clip_seconds=0.8,
        everything=False,
    )
    result = soak.measure(plan)
    assert result["reconnects"] >= 2
    assert len(result["samples"]) >= 5
    assert result["growth"]["flat"] in (True, False)
    tables.soak_table(result)
    charts.save(charts.chart_of("soak", result), tmp_path / "soak.png")


def test_the_simple_form_is_a_run_of_the_demo_unless_told_otherwise(small_bundle: Bundle) -> None:
    settings = simple.settings(None, None, str(small_bundle.folder), "onnxruntime", 1)
    assert [camera.source for camera in settings.cameras] == ["demo"]
    assert (settings.recognition.engine, settings.recognition.threads) == ("onnxruntime", 1)
    assert simple.settings("rtsp://host/stream", None, None, None, None).cameras[0].source == "rtsp://host/stream"


def test_the_command_writes_figures_and_a_chart_and_names_the_machine_but_not_its_host(tmp_path: Path) -> None:
    arguments = ["--what", "detect", "--faces", "1", "--repeats", "1"]
    files = ["--json", str(tmp_path / "out.json"), "--png", str(tmp_path / "out.png")]
    done = CliRunner().invoke(benchmark.app, [*arguments, *files], catch_exceptions=False)
    assert done.exit_code == 0
    text = (tmp_path / "out.json").read_text()
    written = json.loads(text)
    assert socket.gethostname() not in text
    assert written["machine"]["cores"] >= 1
    assert "numpy" in written["machine"]["packages"]
    by_detector = {row["detector"]: row for row in written["results"] if row["min_face"] == 40}
    assert by_detector["mtcnn, torch"]["ratio"]["p50"] == 1
    assert by_detector["mtcnn, onnxruntime"]["faces_found"] == by_detector["mtcnn, torch"]["faces_found"] == 1
    assert by_detector["mtcnn, onnxruntime"]["landmarks_px"] < 0.5
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_every_option_belongs_to_a_measurement_and_every_measurement_is_told_what_exists() -> None:
    options = {parameter.name for parameter in get_command(benchmark.app).params} - {"json_file", "png", "help"}
    assert set().union(*(kind.uses for kind in KINDS.values())) == options
    assert set(KINDS) == {*benchmark.What, *benchmark.Against, "run"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json", "no/such/folder/out.json"], "no/such/folder"),
        (["--what", "live", "--engine", "torch", "--engine", "onnxruntime"], "one engine"),
        (["--what", "live", "--faces", "1", "--cameras", "2"], "--faces 1: .* at least one face"),
        (["--what", "live", "--cameras", "16"], "--cameras 16: .* at least one face"),
        (["--what", "live", "--faces", "8", "--faces", "9"], "--faces 9: .* at most 8"),
        (["--what", "live", "--faces", "17", "--cameras", "1", "--cameras", "2"], "--faces 17: .* at most 8"),
        (["--what", "live", "--source", "missing.mp4", "--faces", "2"], "--faces: a source of your own"),
        (["--what", "detect", "--faces", "9"], "--faces 9: a picture shows 8 at most"),
        (["--what", "soak", "--source", "0"], "--source: --what soak does not use it.* --minutes"),
        (["--what", "decision", "--source", "demo"], "--source: --what decision does not use it"),
        (["--what", "detect", "--bundle", "plain"], "--bundle: --what detect does not use it"),
        (["--what", "live", "--against", "naive"], "--what: --against naive does not use it"),
        (["--faces", "2"], "--faces: a run without --what does not use it"),
        (["--what", "decision", "--bundle", "nobody"], "no such folder"),
        (["--source", "missing.mp4"], "does not exist"),
    ],
)
def test_mistakes_are_bad_input(arguments: list[str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        CliRunner().invoke(benchmark.app, arguments, catch_exceptions=False)
