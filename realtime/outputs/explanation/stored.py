"""The explanation of a stored event, from its probabilities and its pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from models.arrays import Bytes, Floats
from models.evidence import CropEvidence
from models.policy import Decision
from realtime.outputs.events.types import Event
from realtime.outputs.explanation.words import Explanation, explained

#: (event's number, name of a picture) -> its file's content, or None: ``EventLog.picture``
PictureOf = Callable[[int, str], bytes | None]


def explanation_of(event: Event, picture: PictureOf) -> Explanation | None:
    """Why the event was; None where its face is not kept, or cannot be read."""
    content = picture(event.id, "before")
    crop = None if content is None else _rgb(content)
    if crop is None:
        return None
    return explained(crop, _decision(event), _evidence(event, crop, picture))


def _decision(event: Event) -> Decision:
    if event.kind == "suspected_attack" and event.claimed is not None:
        return Decision.suspected(
            event.claimed, event.confidence, likely=event.likely, reason=event.reason, dissent=event.dissent
        )
    if event.identity is not None:
        return Decision.known(event.identity, event.confidence)
    return Decision.unknown(event.reason, event.confidence)


def _evidence(event: Event, crop: Bytes, picture: PictureOf) -> CropEvidence | None:
    found = event.probabilities
    if found is None or not found["labels"]:
        return None
    labels = tuple(found["labels"])
    nothing = np.zeros(crop.shape[:2], np.float32)
    names = ("saliency", "mask", "after")
    pictures = [None if (content := picture(event.id, name)) is None else _as_stored(content) for name in names]
    saliency, mask, after = pictures
    shapes = [None if one is None else one.shape[:2] for one in pictures]
    if saliency is None or mask is None or after is None or set(shapes) != {crop.shape[:2]}:
        saliency, mask, after = nothing, nothing, crop
    views: list[Any] = found.get("views") or []
    return CropEvidence(
        labels=labels,
        raw=np.array(found["raw"], np.float32),
        saliency=np.asarray(saliency, np.float32) / np.float32(255),
        mask=np.asarray(mask) > 0,
        masked_crop=np.asarray(after, np.uint8),
        defended=np.array(found["masked"] or found["raw"], np.float32),
        views=_table(views, len(labels)),
        zones=tuple(found.get("zones") or ()),
        selected=np.array([view is not None for view in views], np.bool_),
    )


def _table(views: list[Any], width: int) -> Floats:
    rows = [np.zeros(width, np.float32) if view is None else np.array(view, np.float32) for view in views]
    return np.stack(rows) if rows else np.zeros((0, width), np.float32)


def _rgb(content: bytes) -> Bytes | None:
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if found is None else np.ascontiguousarray(found[..., ::-1]).astype(np.uint8)


def _as_stored(content: bytes) -> Any:
    """The numbers as they were written: indices of a palette, bits, or colours. None where it cannot be read."""
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as opened:
            return np.asarray(opened).copy()
    except (OSError, ValueError):
        return None
