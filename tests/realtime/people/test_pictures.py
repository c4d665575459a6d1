import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.crop.pose import template
from models.errors import BadInput
from realtime.people.pictures import choose_face, find_faces, left_out, people_of, read_picture
from realtime.types import DetectedFace


def test_people_are_the_folders_and_only_pictures_count(tmp_path: Path) -> None:
    for name in ("Grace/b.PNG", "Grace/a.jpg", "Grace/notes.txt", "Ada/1.webp", "Ada/2.bmp", ".cache/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = people_of(tmp_path)
    assert {person: [p.name for p in pictures] for person, pictures in found.items()} == {
        "Ada": ["1.webp", "2.bmp"],
        "Grace": ["a.jpg", "b.PNG"],
    }


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).touch()


def test_what_storage_and_desktops_put_there_is_nobody(tmp_path: Path) -> None:
    touch(tmp_path, "Ada/1.jpg", "Ada/._1.jpg", "Ada/Thumbs.db", "@eaDir/1.jpg", "lost+found/1.jpg", "#recycle/1.jpg")
    touch(tmp_path, "$RECYCLE.BIN/1.jpg", "System Volume Information/1.jpg", "__MACOSX/1.jpg", ".stfolder/1.jpg")
    assert people_of(tmp_path, least=1) == {"Ada": [tmp_path / "Ada" / "1.jpg"]}
    assert left_out(tmp_path) == []


def test_what_is_passed_over_is_named_with_its_reason(tmp_path: Path) -> None:
    touch(tmp_path, "Ada/1.jpg", "Ada/raw.CR2", "Ada/noext", "Ada/more/2.jpg", "lonely.png")
    assert left_out(tmp_path) == [
        ("", "lonely.png", "lies in no person's folder"),
        ("Ada", "more", "a folder in a person's folder"),
        ("Ada", "noext", "a name without ending is no kind of picture that is read"),
        ("Ada", "raw.CR2", ".cr2 is no kind of picture that is read"),
    ]
    with pytest.raises(BadInput, match=r"holds 1 picture, .* \(3 other files there are of no kind that is read\)"):
        people_of(tmp_path)


def test_a_name_in_two_unicode_forms_is_one_person(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))
    assert composed != decomposed
    touch(tmp_path, f"{composed}/1.jpg", f"{decomposed}/2.jpg")
    assert {person: [p.name for p in paths] for person, paths in people_of(tmp_path).items()} == {
        composed: ["2.jpg", "1.jpg"]
    }
    touch(tmp_path, f"{decomposed}/1.jpg")
    with pytest.raises(BadInput, match="two folders are named José and hold a picture of this name"):
        people_of(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "no such folder"),
        (lambda p: p.mkdir(), "holds no folders"),
        (lambda p: (p / "Ada").mkdir(parents=True), "holds no picture"),
    ],
)
def test_a_source_without_people_is_refused_in_one_line(make, message: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "people")
    with pytest.raises(BadInput, match=message) as error:
        people_of(tmp_path / "people")
    assert "\n" not in str(error.value)


def test_a_picture_is_turned_upright_as_its_camera_says(tmp_path: Path) -> None:
    upright = np.zeros((20, 30, 3), dtype=np.uint8)
    done, jpeg = cv2.imencode(".jpg", upright)
    assert done
    # An EXIF block with one entry, Orientation = 6: turn by a quarter to see it upright.
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    marker = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    content = jpeg.tobytes()
    (tmp_path / "p.jpg").write_bytes(content[:2] + marker + content[2:])
    picture = read_picture(tmp_path / "p.jpg")
    assert picture is not None
    assert picture.shape == (30, 20, 3)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_what_is_no_picture_is_read_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(content)
    assert read_picture(tmp_path / "p.jpg") is None


def test_a_face_that_is_found_only_with_room_around_it_lies_where_it_was() -> None:
    class NeedsRoom:
        """Finds a white square, in pictures of another height than 160."""

        def detect(self, bgr: np.ndarray) -> list[DetectedFace]:
            if bgr.shape[0] == 160:
                return []
            x, y, width, height = cv2.boundingRect((bgr[..., 0] > 200).astype(np.uint8))
            corner = np.array([x, y], dtype=np.float32)
            box = np.array([x, y, x + width, y + height], dtype=np.float32)
            return [DetectedFace(box=box, landmarks=template(width) + corner, score=1.0)]

    canvas = np.full((160, 200, 3), 128, dtype=np.uint8)
    canvas[40:120, 50:130] = 255
    (found,) = find_faces(NeedsRoom(), canvas)
    np.testing.assert_allclose(found.box, [50, 40, 130, 120], atol=0.8)
    np.testing.assert_allclose(found.landmarks, template(80) + np.array([50, 40]), atol=0.8)


def test_the_large_face_near_the_middle_is_chosen() -> None:
    def face(x: float, y: float, side: float) -> DetectedFace:
        box = np.array([x, y, x + side, y + side], dtype=np.float32)
        return DetectedFace(box=box, landmarks=template(100), score=1.0)

    middle, corner, small = face(60, 60, 80), face(0, 0, 82), face(95, 95, 10)
    assert choose_face([corner, middle, small], (200, 200, 3)) is middle
    assert choose_face([small, face(50, 50, 80)], (200, 200, 3)).box[0] == 50
