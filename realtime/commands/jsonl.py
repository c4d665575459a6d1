"""One line of JSON for each decision of a run: for programs that read along, and for what is looked at afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision
from realtime.types import FaceCrop


class DecisionLines:
    """Writes to a file, from its beginning; ``count`` is for the pipeline. A context manager.

    Raises:
        BadInput: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: TextIO = path.open("w", encoding="utf-8")
        except OSError as error:
            raise BadInput(f"cannot write {path}: {error.strerror}; give a file in a folder that exists") from error

    def count(self, crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        """Write one decision; whoever reads along has it at once."""
        self._file.write(json.dumps(line_of(crop, undefended, defended), ensure_ascii=False) + "\n")
        self._file.flush()

    def __enter__(self) -> DecisionLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def line_of(crop: FaceCrop, undefended: Decision, defended: Decision) -> dict[str, Any]:
    """``clip_seconds``: of a file that is worked on frame by frame; None of what plays or is live."""
    frame = crop.frame
    return {
        "camera": frame.camera,
        "frame": frame.index,
        "clip_seconds": None if frame.file_time is None else round(frame.file_time, 3),
        "wall_time": round(frame.wall_time, 3),
        "drill": frame.drill,
        "track": crop.track.track_id,
        "box": [round(float(edge), 1) for edge in crop.track.face.box],
        "state": defended.state,
        "identity": defended.identity,
        "claimed": defended.claimed,
        "likely": defended.likely,
        "confidence": round(defended.confidence, 4),
        "reason": defended.reason,
        "dissent": defended.dissent,
        "undefended": undefended.identity,
    }
