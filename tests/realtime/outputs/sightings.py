"""Frames and verdicts made up for the tests of events and of the page, and what is done to a log of them."""

import contextlib
import sqlite3
from dataclasses import replace

import numpy as np

from models.evidence import CropEvidence
from models.policy import Decision
from realtime.outputs.events.types import Sighting
from realtime.types import DetectedFace, Frame, TrackedFace
from realtime.verdicts.verdict import Verdict

SIDE = 32
LABELS = ("Ada", "Bob", "Cyd")


def frame(camera="door", wall_time=1_000_000.0, size=(240, 320), seed=0):
    bgr = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    return Frame(camera=camera, index=0, bgr=bgr, captured_at=0.0, wall_time=wall_time)


def evidence(side=SIDE):
    ramp = np.linspace(0, 1, side * side, dtype=np.float32).reshape(side, side)
    mask = np.zeros((side, side), bool)
    mask[side // 4 : side // 2] = True
    masked = crop(side)
    masked[mask] = (124, 117, 104)
    return CropEvidence(
        labels=LABELS,
        raw=np.array([0.9, 0.06, 0.04], np.float32),
        saliency=ramp,
        mask=mask,
        masked_crop=masked,
        defended=np.array([0.1, 0.85, 0.05], np.float32),
        views=np.array([[0.25, 0.7, 0.05]], np.float32),
        zones=("eyewear",),
    )


def quick_evidence(side=SIDE):
    """As a live decision without an alarm leaves it: nobody has looked at the saliency."""
    full = evidence(side)
    nothing = np.zeros((side, side), np.float32)
    return replace(full, saliency=nothing, mask=nothing > 0, masked_crop=crop(side), defended=full.raw)


def crop(side=SIDE):
    return np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8)


def verdict(state, name=None, likely=None, track_id=1, now=0.0, reason="", with_evidence=True, dissent="saliency"):
    identity, claimed = (name, None) if state == "known" else (None, name)
    return Verdict(
        track_id=track_id,
        epoch=0,
        state=state,
        identity=identity,
        claimed=claimed,
        likely=likely,
        confidence=0.9,
        raw_probability=0.9,
        view_probability=0.85,
        view="eyewear",
        reason=reason,
        dissent=dissent if state == "suspected_attack" else None,
        decided_at=now,
        captured_at=now,
        asked_at=now,
        max_age=0.5,
        decision=Decision(state, identity, claimed, likely, 0.9, reason),
        evidence=evidence() if with_evidence else None,
    )


def track(track_id=1, box=(100, 80, 160, 150)):
    face = DetectedFace(box=np.array(box, np.float32), landmarks=np.zeros((5, 2), np.float32), score=0.99)
    return TrackedFace(track_id=track_id, face=face)


def sighting(state="known", name="Ada", track_id=1, box=(100, 80, 160, 150), now=0.0, **verdict_options):
    said = verdict(state, name, track_id=track_id, now=now, **verdict_options)
    return Sighting(track(track_id, box), said, crop())


def attack(now=0.0, claimed="Ada", likely="Bob", **options):
    return sighting("suspected_attack", claimed, likely=likely, now=now, **options)


def quickly(sighting):
    """The sighting with the evidence of a quick decision."""
    return replace(sighting, verdict=replace(sighting.verdict, evidence=quick_evidence()))


def stranger(now=0.0, reason="stranger or not enough evidence", **options):
    return sighting("unknown", None, now=now, reason=reason, **options)


def stored(log, *sightings, now=0.0, **frame_options):
    """Have the log write what is worth an event, and give all its events."""
    log.offer(frame(**frame_options), sightings, now)
    assert log.flush()
    return log.query()


def damage(database):
    """Overwrite the pages with the rows of a closed event log; its first ones, with the tables' names, stay whole."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        ((size,),) = connection.execute("PRAGMA page_size")
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'")
    content = database.read_bytes()
    start = (root - 1) * size
    database.write_bytes(content[:start] + b"\x55" * (len(content) - start))
