"""Evidence pictures: how they are made, and how a folder of them appears on disk whole or not at all.

An event's pictures are written into ``evidence/.part-<key>/``, each file and then the folder is flushed, and one
rename makes it ``evidence/<k>/<key>/``. Only then the event's row is written. Whatever a crash leaves behind
is therefore either a ``.part-`` folder or a folder without a row; ``sweep`` sets both aside in ``lost+found/``. Nothing
is erased there: a folder without a row is also what an older database that was put back does not know of.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from models.arrays import Bytes, Floats
from realtime.faces.boxes import overlap
from realtime.outputs.events.types import PICTURES, EventSettings, FindFaces, PendingEvent

_KEY = re.compile(r"[0-9a-f]{32}")
_PART = ".part-"
LOST_AND_FOUND = "lost+found"
_BLOCKS = 6  # a pixelated face is this many blocks wide: too few for anybody to be recognised
_SAME_FACE = 0.3  # intersection over union from which on a face found is the one that the event is about
_MARGIN = 0.25  # of the box's size, hidden around it as well


def render(event: PendingEvent, settings: EventSettings, find_faces: FindFaces | None = None) -> dict[str, bytes]:
    """The event's pictures as encoded files, by the names of ``PICTURES``.

    ``saliency.png`` holds the map as 8 bits with a palette (index 255 is saliency 1), so that it can be looked
    at as it is and read back exactly; ``mask.png`` has one bit a pixel, white is hidden. What was not looked at
    is left out. ``find_faces`` finds whom to pixelate; None: only those who are followed are.
    """
    frame = pixelated(event.bgr, _others(event, find_faces)) if settings.pixelate_others else event.bgr
    pictures = {"frame": _jpeg(_at_most(frame, settings.frame_max_side), settings.jpeg_quality)}
    if event.subject.crop is not None:
        pictures["before"] = _png(Image.fromarray(np.ascontiguousarray(event.subject.crop)))
    evidence = event.subject.verdict.evidence if event.subject.verdict is not None else None
    if evidence is not None and evidence.explained:
        pictures["saliency"] = _png(_with_palette(evidence.saliency))
        pictures["mask"] = _png(Image.fromarray(evidence.mask.astype(np.uint8) * 255).convert("1"))
        pictures["after"] = _png(Image.fromarray(np.ascontiguousarray(evidence.masked_crop)))
    return pictures


def _others(event: PendingEvent, find_faces: FindFaces | None) -> list[Floats]:
    """The boxes of everybody the event is not about: a face that has just come is not followed yet."""
    concerned = [one.track.face.box for one in (event.subject, event.other) if one is not None]
    found = [face.box for face in find_faces(event.bgr)] if find_faces is not None else []
    return [*event.bystanders, *(box for box in found if all(overlap(box, own) < _SAME_FACE for own in concerned))]


def pixelated(bgr: Bytes, boxes: Sequence[Floats]) -> Bytes:
    """A copy of the frame (H, W, 3) in which what lies in the boxes (4,) x1, y1, x2, y2 is coarse blocks."""
    hidden = bgr.copy()
    height, width = bgr.shape[:2]
    for box in boxes:
        x1, y1, x2, y2 = (float(v) for v in box)
        across, down = (x2 - x1) * _MARGIN, (y2 - y1) * _MARGIN
        left, right = max(0, int(x1 - across)), min(width, int(np.ceil(x2 + across)))
        top, bottom = max(0, int(y1 - down)), min(height, int(np.ceil(y2 + down)))
        if right <= left or bottom <= top:
            continue
        region = hidden[top:bottom, left:right]
        rows = max(1, round(_BLOCKS * (bottom - top) / (right - left)))
        small = cv2.resize(region, (_BLOCKS, rows), interpolation=cv2.INTER_AREA)
        hidden[top:bottom, left:right] = cv2.resize(
            small, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST
        )
    return hidden


def _at_most(bgr: Bytes, side: int) -> Bytes:
    longest = max(bgr.shape[:2])
    if longest <= side:
        return bgr
    scale = side / longest
    size = (max(1, round(bgr.shape[1] * scale)), max(1, round(bgr.shape[0] * scale)))
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)


def _jpeg(bgr: Bytes, quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OSError("the frame could not be encoded as JPEG")
    return data.tobytes()


def _with_palette(saliency: Floats) -> Image.Image:
    colours = cv2.applyColorMap(np.arange(256, dtype=np.uint8).reshape(256, 1), cv2.COLORMAP_INFERNO)
    levels = np.round(np.clip(saliency, 0.0, 1.0) * 255).astype(np.uint8)
    indexed = Image.frombytes("P", (levels.shape[1], levels.shape[0]), levels.tobytes())
    indexed.putpalette(colours.reshape(256, 3)[:, ::-1].tobytes())
    return indexed


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def folder_of(root: Path, key: str) -> Path:
    """The folder of an event's pictures. Raises ``ValueError`` for anything but a key of our own making."""
    if not _KEY.fullmatch(key):
        raise ValueError("not an event key")
    return root / key[:2] / key


def write_folder(root: Path, key: str, pictures: Mapping[str, bytes]) -> int:
    """Write all pictures of an event, or nothing; gives the bytes written. Raises ``OSError``."""
    part, final = root / f"{_PART}{key}", folder_of(root, key)
    part.mkdir(mode=0o700)
    try:
        for name, content in pictures.items():
            _write_flushed(part / PICTURES[name], content)
        _flush_folder(part)
        if not final.parent.is_dir():
            final.parent.mkdir(mode=0o700, exist_ok=True)
            _flush_folder(root)
        part.rename(final)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _flush_folder(final.parent)
    return sum(len(content) for content in pictures.values())


def add_file(root: Path, key: str, name: str, content: bytes) -> None:
    """Put a further file into an event's folder, whole or not at all. Raises ``OSError``."""
    folder = folder_of(root, key)
    part = folder / f"{_PART}{PICTURES[name]}"
    try:
        _write_flushed(part, content)
        part.replace(folder / PICTURES[name])
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    _flush_folder(folder)


def erase(root: Path, key: str, name: str | None = None, *, overwrite: bool = False) -> None:
    """Erase an event's pictures, or the one of this ``name``; with ``overwrite`` their bytes are zeroed first.

    Overwriting is all that a program can do: a journal, a snapshot or the spare cells of an SSD may still hold
    copies. Nothing happens where they are gone already. Raises ``OSError``.
    """
    folder = folder_of(root, key)
    with contextlib.suppress(FileNotFoundError):  # another process has been here
        files = [folder / PICTURES[name]] if name is not None else [*folder.iterdir()]
        for file in files if overwrite else ():
            overwrite_file(file)
        if name is not None:
            files[0].unlink()
        else:
            shutil.rmtree(folder)


def overwrite_file(file: Path) -> None:
    """Zero a file's bytes and flush them."""
    try:
        descriptor = os.open(file, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return
    try:
        os.write(descriptor, bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def event_folders(root: Path) -> dict[str, Path]:
    """The finished folder of every event, by its key, whether a row speaks of it or not."""
    return {
        folder.name: folder
        for folder in root.glob("[0-9a-f][0-9a-f]/*")
        if _KEY.fullmatch(folder.name) and folder.name[:2] == folder.parent.name and _is_folder(folder)
    }


@dataclass
class Swept:
    """What ``sweep`` found, by event: pictures that are missing, and pictures that no row speaks of."""

    set_aside: int = 0
    missing: dict[str, frozenset[str]] = field(default_factory=dict)
    unspoken: dict[str, frozenset[str]] = field(default_factory=dict)


def sweep(root: Path, files_by_key: Mapping[str, frozenset[str]]) -> Swept:
    """Bring the folders in line with the rows, after a crash or where another database was put back.

    ``files_by_key``: for every event the pictures its rows speak of. Sets the folders of our own making that no row
    speaks of aside, brings those back that a row speaks of again, and touches nothing that somebody else put there.
    """
    swept = Swept()
    for part in root.glob(f"{_PART}*"):
        if _KEY.fullmatch(part.name[len(_PART) :]):
            swept.set_aside += _move_pictures(part, _free_name(root / LOST_AND_FOUND / part.name))
    folders = event_folders(root)
    for key in folders.keys() - files_by_key.keys():
        swept.set_aside += _move_pictures(folders[key], _free_name(root / LOST_AND_FOUND / key))
    for key, wanted in files_by_key.items():
        present = _pictures_in(folder_of(root, key))
        if not wanted <= present and _is_folder(root / LOST_AND_FOUND / key):
            _move_pictures(root / LOST_AND_FOUND / key, folder_of(root, key))
            present = _pictures_in(folder_of(root, key))
        if wanted - present:
            swept.missing[key] = wanted - present
        if present - wanted:
            swept.unspoken[key] = present - wanted
    return swept


def bring_home(aside: Path, root: Path) -> int:
    """Move what was written ``aside`` while ``root`` was away to where it belongs; gives of how many events."""
    if not (aside.is_dir() and root.is_dir()):
        return 0
    moved = sum(_move_pictures(folder, folder_of(root, key)) for key, folder in event_folders(aside).items())
    for folder in (*aside.iterdir(), aside):
        with contextlib.suppress(OSError):  # something is in it still
            folder.rmdir()
    return moved


def _pictures_in(folder: Path) -> frozenset[str]:
    return frozenset(name for name, file in PICTURES.items() if (folder / file).is_file())


def _free_name(folder: Path) -> Path:
    """``folder``, or ``folder-1`` and so on where there is one of that name."""
    names = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(1))
    return folder if not folder.exists() else next(name for name in names if not name.exists())


def _move_pictures(folder: Path, to: Path) -> bool:
    """Move our pictures, and remove the folder where nothing else is in it; says whether there were any."""
    if not _is_folder(folder):
        return False
    found = [file for file in PICTURES.values() if (folder / file).is_file() and not (to / file).exists()]
    if found:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (to.parent, to):
            name.chmod(0o700)
    for file in found:
        shutil.move(folder / file, to / file)  # evidence/ may be on another disk
    with contextlib.suppress(OSError):  # somebody else's file is in it
        folder.rmdir()
    return bool(found)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _write_flushed(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows has no way to flush a folder, and journals renames by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
