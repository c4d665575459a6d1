"""Finding faces: MTCNN in torch, MTCNN in ONNX Runtime, and YuNet where its file is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from models.arrays import Bytes
from models.errors import BadInput
from realtime.cameras.demo_scene import DemoScene
from realtime.faces.detect import FaceDetector, MtcnnDetector
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.types import DetectedFace
from tools.bench.scene import MOST_FACES, tiled
from tools.bench.timing import Case, Spread, in_turn, paired_ratio, spread

BASELINE = "mtcnn, torch"


@dataclass(frozen=True)
class Plan:
    """Pictures of 640 x 480 with ``faces`` faces each, for smallest faces of ``min_faces`` pixels."""

    faces: tuple[int, ...] = (1, 4, 8)
    min_faces: tuple[int, ...] = (20, 40, 80)
    repeats: int = 8
    threads: int = 1
    yunet: Path | None = None


class Wanted(TypedDict):
    faces: int
    min_face: int
    threads: int


class Row(Wanted):
    """What a detector found, in which time; ``ratio``: to the baseline, as ``landmarks_px`` (see
    ``landmark_distance``)."""

    detector: str
    ms: Spread
    ratio: Spread
    faces_found: float
    landmarks_px: float | None


def measure(plan: Plan) -> list[Row]:
    """A row per number of faces, smallest face and detector; ratios are to MTCNN in torch on the same picture.

    Raises:
        BadInput: more faces than a picture has room for.
    """
    if max(plan.faces) > MOST_FACES:
        raise BadInput(f"--faces {max(plan.faces)}: a picture shows {MOST_FACES} at most, give fewer")
    scene = DemoScene()
    rows: list[Row] = []
    for min_face in plan.min_faces:
        detectors = _detectors(plan, min_face)
        for faces in plan.faces:
            pictures = [tiled(scene, 40 * index, faces) for index in range(plan.repeats + 2)]
            wanted: Wanted = {"faces": faces, "min_face": min_face, "threads": plan.threads}
            rows += _rows(detectors, pictures, wanted, plan)
    return rows


def _detectors(plan: Plan, min_face: int) -> dict[str, FaceDetector]:
    detectors: dict[str, FaceDetector] = {
        BASELINE: MtcnnDetector(min_face=min_face, threads=plan.threads),
        "mtcnn, onnxruntime": MtcnnOnnxDetector(min_face=min_face, threads=plan.threads),
    }
    if plan.yunet is not None:
        from realtime.faces.yunet import YuNetDetector

        detectors["yunet, opencv"] = YuNetDetector(plan.yunet, min_face=min_face)
    return detectors


def _rows(detectors: dict[str, FaceDetector], pictures: Sequence[Bytes], wanted: Wanted, plan: Plan) -> list[Row]:
    found: dict[str, list[list[DetectedFace]]] = {name: [] for name in detectors}

    def case(name: str, detector: FaceDetector) -> Case:
        return lambda: found[name].append(detector.detect(pictures[len(found[name])]))

    times = in_turn({name: case(name, detector) for name, detector in detectors.items()}, repeats=plan.repeats)
    return [
        {
            **wanted,
            "detector": name,
            "ms": spread(times[name]),
            "ratio": paired_ratio(times[name], times[BASELINE]),
            "faces_found": round(float(np.mean([len(one) for one in found[name]])), 2),
            "landmarks_px": landmark_distance(found[name], found[BASELINE]),
        }
        for name in detectors
    ]


def landmark_distance(
    found: Sequence[Sequence[DetectedFace]], wanted: Sequence[Sequence[DetectedFace]]
) -> float | None:
    """The median distance, in pixels, of a landmark to the same one of the nearest wanted face; None without faces."""
    distances = []
    for some, others in zip(found, wanted, strict=True):
        for face in some if others else ():
            offsets = [np.linalg.norm(face.landmarks - other.landmarks, axis=1) for other in others]
            distances.append(min(offsets, key=lambda one: float(one.max())))
    return round(float(np.median(np.concatenate(distances))), 4) if distances else None
