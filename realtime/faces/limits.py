"""The limits of the quality gate, a section of the settings: who reads these needs no face to be cut out."""

from __future__ import annotations

from pydantic import Field

from realtime.settings.section import Section


class QualityLimits(Section):
    """Faces that are not good enough are unknown with the reason, never guessed.

    ``min_side``: side of the canonical crop's square in pixels of the frame (about 1.4 x the width of MTCNN's box).
    ``min_inside``: share of that square that lies within the frame.
    ``max_side_offset``: how far the nose tip may stand from the middle between the eyes, along the line
    through them, in eye distances (0 = frontal; 0.4 is a head turned by about 36 degrees).
    ``min_sharpness``: see ``realtime.faces.quality.sharpness``.
    """

    min_side: float = Field(default=56.0, ge=0, le=2000, description="Side of the face's square in the frame, pixels")
    min_inside: float = Field(default=0.85, ge=0, le=1, description="Share of the face's square within the frame")
    max_side_offset: float = Field(default=0.40, ge=0, le=5, description="How far the head may be turned (0 frontal)")
    min_sharpness: float = Field(default=0.12, ge=0, le=1, description="Below this a face is blurred")
