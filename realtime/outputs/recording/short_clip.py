"""A few seconds of pictures as an MP4 in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

from models.arrays import Bytes
from realtime.outputs.recording.video_writer import codec_for, fitted


def short_clip(shots: Sequence[tuple[float, bytes]], fps: float) -> bytes:
    """An MP4 of JPEG pictures with their moments in seconds, at a constant rate; b"" of nothing."""
    pictures = [(at, bgr) for at, content in shots if (bgr := _read(content)) is not None]
    if not pictures:
        return b""
    height, width = pictures[0][1].shape[:2]
    wide, high = width + width % 2, height + height % 2
    file = io.BytesIO()
    with av.open(
        file, "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    ) as container:
        codec, options = codec_for(wide * high)
        stream: Any = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.width, stream.height, stream.pix_fmt = wide, high, "yuv420p"
        stream.codec_context.thread_count = 1
        slots = max(1, round((pictures[-1][0] - pictures[0][0]) * fps) + 1)
        place = 0
        for slot in range(slots):
            while place + 1 < len(pictures) and (pictures[place + 1][0] - pictures[0][0]) * fps <= slot + 0.5:
                place += 1
            yuv: Any = cv2.cvtColor(fitted(pictures[place][1], wide, high), cv2.COLOR_BGR2YUV_I420)
            picture = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
            picture.pts = slot
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return file.getvalue()


def _read(content: bytes) -> Bytes | None:
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if found is None else np.asarray(found, np.uint8)
