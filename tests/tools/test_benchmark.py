"""The benchmark on a small untrained bundle: what is counted is what happened."""

import json
import math
import socket
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from models.bundle import Bundle
from models.engines import make_engine
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision
from models.recogniser import Recogniser, load_recogniser
from realtime.assembly import batch_of
from realtime.cameras.demo_scene import FPS, DemoScene
from realtime.cameras.states import CameraError
from realtime.config import Config, RecognitionConfig
from realtime.faces.align import crop_face
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.quality import QualityLimits, refusal
from realtime.types import DetectedFace, FaceCrop, Frame, TrackedFace
from tools import benchmark
from tools.bench import against, charts, decision, live, profile, scene, simple, soak, tables, watch
from tools.bench.naive import Naive
from tools.bench.timing import in_turn, paired_ratio, spread
from tools.bench.untrained import bundle_of_size


@pytest.fixture(scope="module")
def demo() -> DemoScene:
    return DemoScene(act_seconds=1.0)


@pytest.fixture(scope="module")
def clip(demo: DemoScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "one.mp4"
    scene.write_clip(path, demo, 1, 0.4)
    return path


# -- timing --


def test_cases_run_in_turn_and_the_first_rounds_are_not_counted() -> None:
    ran: list[str] = []
    times = in_turn({"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}, repeats=3, warm_up=2)
    assert ran == ["a", "b"] * 5
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3}


def test_a_ratio_is_taken_round_by_round() -> None:
    # while the machine was busy (third round) both took ten times as long
    ratio = paired_ratio([2.0, 4.4, 20.0], [1.0, 2.0, 10.0])
    assert (ratio["p50"], ratio["n"]) == (2.0, 3)
    assert ratio["p25"] == 2.0
    assert ratio["p75"] == pytest.approx(2.1)


def test_the_spread_is_that_of_the_sorted_values() -> None:
    assert spread([5.0, 1.0, 4.0, 2.0, 3.0]) == {"p50": 3.0, "p25": 2.0, "p75": 4.0, "p95": 4.8, "n": 5}


# -- the scene --


@pytest.mark.parametrize("faces", [1, 2, 4, 8])
def test_a_tiled_picture_shows_so_many_faces_that_all_pass_the_quality_gate(demo: DemoScene, faces: int) -> None:
    picture = scene.tiled(demo, 12, faces)
    assert picture.shape == (480, 640, 3)
    found = MtcnnOnnxDetector(min_face=40).detect(picture)
    assert len(found) == faces
    for face in found:
        crop = crop_face(picture, face.landmarks, 112)
        assert refusal(crop, face.landmarks, picture.shape, QualityLimits()) is None


def test_a_looped_clip_goes_on_at_its_own_rate(clip: Path) -> None:
    camera = scene.LoopedVideo(clip, name="loop")
    started = time.monotonic()
    frames = [camera.read() for _ in range(25)]  # the clip has ten pictures
    assert time.monotonic() - started == pytest.approx(24 / FPS, abs=0.2)
    assert [frame.index for frame in frames] == list(range(25))
    camera.close()
    np.testing.assert_allclose(frames[0].bgr, frames[10].bgr, atol=2)  # the same picture, one round later


def test_a_looped_clip_is_cut_when_it_should_be_and_leaves_nothing_open(clip: Path) -> None:
    process = psutil.Process()

    def open_files() -> set[tuple[str, int]]:
        return {(file.path, file.fd) for file in process.open_files()}

    files, threads = open_files(), process.num_threads()
    for _ in range(3):
        camera = scene.LoopedVideo(clip, name="loop", cut_after=0.05)
        camera.read()
        time.sleep(0.06)
        with pytest.raises(CameraError, match="cut on purpose") as caught:
            camera.read()
        assert not caught.value.permanent
        camera.close()
        del camera
    assert open_files() == files
    assert process.num_threads() <= threads + 2


# -- decisions --


def test_a_bundle_of_another_size_keeps_the_convolutions(small_bundle: Bundle, tmp_path: Path) -> None:
    larger = bundle_of_size(small_bundle, 64, tmp_path / "64")
    ours, theirs = larger.torch_model().convolutions(), small_bundle.torch_model().convolutions()
    for name, layer in theirs.items():
        np.testing.assert_array_equal(ours[name].weight.numpy(), layer.weight.numpy())
    crops = np.zeros((1, 64, 64, 3), np.uint8)
    assert load_recogniser(larger.folder, "onnxruntime", threads=1).classify(crops).shape == (1, 4)
    assert bundle_of_size(small_bundle, 32, tmp_path) is small_bundle


def test_a_decision_is_measured_for_clean_faces_and_for_attacked_ones_with_a_mask(
    small_bundle: Bundle, tmp_path: Path
) -> None:
    plan = decision.Plan(engines=("onnxruntime-cpu", "torch"), sizes=(32,), batches=(1, 2), repeats=3, threads=1)
    rows = decision.measure(small_bundle, plan, tmp_path)
    assert {(row["engine"], row["batch"], row["faces"]) for row in rows} == {
        (engine, batch, kind) for engine in plan.engines for batch in plan.batches for kind in ("clean", "attacked")
    }
    for row in rows:
        assert row["faces"] == "clean" or row["masked_share"] == 1
        assert row["ms"]["whole"]["p50"] >= row["ms"]["saliency"]["p50"]
        parts = sum(row["ms"][stage]["p50"] for stage in ("saliency", "mask", "reclassify"))
        assert row["ms"]["whole"]["p50"] == pytest.approx(parts, rel=0.5)
        assert row["ratio"]["whole"]["n"] == 3
    assert len(decision.headline(rows)) == 2
    tables.decision_table(rows)
    charts.save(charts.decision_chart(rows), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_the_baseline_against_itself_is_one(small_bundle: Bundle) -> None:
    baseline = make_engine(decision.BASELINE, small_bundle, threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    row = decision.measure_engine(Recogniser(small_bundle, baseline), baseline, crops, repeats=15)
    assert row["ratio"]["classify"]["p50"] == pytest.approx(1.0, abs=0.35)


def test_where_zones_have_the_say_the_decision_as_it_is_taken_live_is_timed_too(small_bundle: Bundle) -> None:
    baseline = make_engine(decision.BASELINE, small_bundle, threads=1)
    recogniser = Recogniser(small_bundle, baseline)
    crops = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    plain = decision.measure_engine(recogniser, baseline, crops, repeats=1)
    recogniser.zones = ("eyewear",)
    zoned = decision.measure_engine(recogniser, baseline, crops, repeats=1)
    assert "quick" not in plain["ratio"]
    assert zoned["ratio"]["quick"]["p50"] > 0
    face = {"batch": 1, "faces": "attacked", "size": 32, "engine": "x"}
    said, said_of_zones = decision.headline([plain | face, zoned | face])
    assert "as it is taken live" in said_of_zones
    assert "as it is taken live" not in said


def test_an_engine_that_is_not_here_is_left_out_and_said(small_bundle: Bundle, tmp_path: Path) -> None:
    plan = decision.Plan(engines=("abacus",), sizes=(32,), batches=(1,), repeats=1, threads=1)
    (row,) = decision.measure(small_bundle, plan, tmp_path)
    assert "no such engine" in row["left_out"]
    tables.decision_table([row])


def test_a_batch_that_was_configured_is_not_measured(small_bundle: Bundle) -> None:
    config = Config(recognition=RecognitionConfig(batch=3))
    assert batch_of(config, None) == 3  # type: ignore[arg-type]
    recogniser = load_recogniser(small_bundle.folder, "onnxruntime", threads=1)
    assert batch_of(Config(), recogniser) in (1, 2, 4, 8, 16)


# -- the natural way --


def test_the_natural_way_decides_as_the_reference_does(small_bundle: Bundle, demo: DemoScene) -> None:
    """Captum's saliency and a plain loop against our own guided backpropagation, on the same crops."""
    naive, reference = Naive(small_bundle), load_recogniser(small_bundle.folder, "torch", threads=1)
    crops = scene.crops_of(demo, scene.ATTACKED, 32, 4)
    evidence = reference.defend(crops)
    assert evidence.mask.any()
    for crop, wanted in zip(crops, reference.decide(crops), strict=True):
        found = naive.decide_crop(crop)
        assert replace(found, confidence=0) == replace(wanted, confidence=0)
        assert found.confidence == pytest.approx(wanted.confidence, abs=1e-4)


def test_both_sides_find_the_face_of_every_frame(small_bundle: Bundle) -> None:
    plan = against.Plan(engines=("onnxruntime",), sizes=(32,), rounds=2, frames=2, threads=1, naive_threads=(1,))
    rows = against.measure(small_bundle, plan, Path("unused"))
    natural, every, third = rows
    assert natural["ratio"] is None
    assert natural["way"] == every["baseline"] == third["baseline"] == "naive, 1 torch thread"
    for row in (every, third):
        wanted = row["decisions_per_second"]["p50"] / natural["decisions_per_second"]["p50"]
        assert row["ratio"]["p50"] == pytest.approx(wanted, rel=0.3)
    tables.naive_table(rows)


def test_every_way_sees_the_same_frames_round_by_round(demo: DemoScene) -> None:
    seen: dict[str, list[int]] = {"a": [], "b": []}
    nobody = Decision("unknown", None, None, None, 0.0, "")

    def way(name: str, decisions: int):  # type: ignore[no-untyped-def]
        def decide(frame: Frame) -> list[Decision]:
            seen[name].append(frame.index)
            time.sleep(0.01)
            return [nobody] * decisions

        return decide

    plan = against.Plan(rounds=2, frames=3)
    rates = against.in_rounds({"a": way("a", 1), "b": way("b", 2)}, scene.frames_of(demo, 6), plan)
    assert seen["a"] == seen["b"] == [-2, -1, 0, 1, 2, 3, 4, 5]
    assert len(rates["a"]) == 2
    assert max(rates["a"]) <= 100  # one decision per 10 ms
    assert rates["b"][0] > 1.3 * rates["a"][0]


# -- looking on --


def face_crop(frame: Frame, track: int = 1) -> FaceCrop:
    face = DetectedFace(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return FaceCrop(TrackedFace(track, face), frame, np.zeros((2, 2, 3), np.uint8))


def test_a_watch_counts_new_pictures_and_decisions_within_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(watch.time, "monotonic", lambda: now)
    seen = watch.Watch(warm_up=1.0, seconds=2.0)
    picture = np.zeros((2, 2, 3), np.uint8)
    known = Decision("known", "Ada", None, None, 0.9, "")
    masked, bare = (
        CropEvidence(("Ada",), *(np.zeros(1, np.float32),) * 2, mask, picture, np.zeros(1, np.float32), picture, ())  # type: ignore[arg-type]
        for mask in (np.ones((2, 2), bool), np.zeros((2, 2), bool))
    )
    for step in range(100):  # four seconds of every second picture of a camera with 50 fps, shown 40 ms later
        now = 100.0 + step * 0.04
        frame = Frame("door", 2 * step, picture, now - 0.040, 0.0)
        seen.show(frame, picture)
        seen.show(frame, picture)  # again, for want of a new one
        if step % 5 == 0:
            seen.decided(face_crop(frame), masked if step % 10 else bare, known, known)
    figures = seen.figures()
    assert figures["displayed_fps"]["door"] == pytest.approx(25, abs=0.6)
    assert figures["captured_fps"]["door"] == pytest.approx(50, abs=1.2)
    assert figures["frame_age_ms"]["p95"] == pytest.approx(40, rel=0.01)
    assert figures["decisions_per_second"] == pytest.approx(5, abs=0.3)
    assert figures["full_decisions"] + figures["quick_decisions"] == figures["decisions"] == 10
    assert figures["full_decisions"] == 5
    assert figures["between_decisions_of_a_face_ms"]["p50"] == pytest.approx(200, rel=0.02)


def test_a_watch_that_saw_nothing_says_nothing() -> None:
    figures = watch.Watch().figures()
    assert (figures["seconds"], figures["decisions"], figures["displayed_fps"]) == (0.0, 0, {})
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_samples_tell_what_the_process_uses() -> None:
    with watch.Sampler(0.02) as sampler:
        ballast = np.ones(60_000_000, np.uint8)
        began = time.monotonic()
        while time.monotonic() - began < 0.3:
            ballast.sum()
    first, last = sampler.samples[0], sampler.samples[-1]
    assert last.cpu - first.cpu > 0.05
    assert last.rss_mb == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.3)
    assert sampler.within(math.inf, math.inf) == []


# -- live, soak, the command --


def test_cases_are_combinations_with_a_face_for_every_camera() -> None:
    like = live.Case()
    pairs = [(case.faces, case.cameras) for case in live.cases_of([1, 4], [1, 2], like)]
    assert pairs == [(1, 1), (4, 1), (4, 2)]
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
    tables.live_table([row])
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json", "no/such/folder/out.json"], "no/such/folder"),
        (["--what", "live", "--engine", "torch", "--engine", "onnxruntime"], "one engine"),
        (["--what", "live", "--faces", "1", "--cameras", "2"], "at least one face"),
        (["--what", "decision", "--bundle", "nobody"], "no such folder"),
        (["--source", "missing.mp4"], "does not exist"),
    ],
)
def test_mistakes_are_bad_input(arguments: list[str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        CliRunner().invoke(benchmark.app, arguments, catch_exceptions=False)


# -- the profile --


def test_vgg16s_convolutions_take_the_operations_that_the_literature_gives() -> None:
    assert profile.convolution_operations(224) / 2 == pytest.approx(15.35e9, rel=0.001)


def test_a_profile_names_the_ops_and_their_shares(small_bundle: Bundle, tmp_path: Path) -> None:
    rows = profile.measure(small_bundle, (32,), tmp_path, repeats=1, threads=1)
    assert [row["graph"] for row in rows] == ["bare forward", "logits and saliency"]
    for row in rows:
        assert "Conv" in max(row["ops"], key=row["ops"].get)  # type: ignore[arg-type]
        assert sum(row["ops"].values()) <= 1.001
        assert 0 < row["share_of_peak"] < 1.5
    tables.profile_table(rows)
    charts.chart_of("profile", rows)
