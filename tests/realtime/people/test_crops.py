import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from models.crop.pose import template
from models.errors import BadInput
from realtime.faces.detect import MtcnnDetector
from realtime.people.crops import crop_of, nominal_landmarks, prepare
from realtime.people.pictures import find_faces
from realtime.types import DetectedFace
from tools.faces.people import read_people


class Painted:
    """Stands in for a detector: a face is a red square, its landmarks are the template in it."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, bgr: np.ndarray) -> list[DetectedFace]:
        self.calls += 1
        red = ((bgr[..., 2] > 200) & (bgr[..., 0] < 60)).astype(np.uint8)
        count, _, boxes, _ = cv2.connectedComponentsWithStats(red)
        faces = []
        for x, y, width, height, area in boxes[1:count]:
            if area >= 25:
                landmarks = template(int(width)) + np.array([x, y], dtype=np.float32)
                box = np.array([x, y, x + width, y + height], dtype=np.float32)
                faces.append(DetectedFace(box=box, landmarks=landmarks.astype(np.float32), score=1.0))
        return sorted(faces, key=lambda face: -float(face.box[2] - face.box[0]))


def picture(path: Path, *squares: tuple[int, int, int], size: tuple[int, int] = (200, 160)) -> Path:
    """A grey JPEG with red squares at (x, y, side)."""
    canvas = np.full((size[1], size[0], 3), 128, dtype=np.uint8)
    for x, y, side in squares:
        canvas[y : y + side, x : x + side] = (0, 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), canvas)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    for name in ("Ada", "Grace"):
        for index in range(2):
            picture(folder / name / f"{index}.jpg", (40, 30, 90))
    return folder


def test_each_picture_gives_one_crop_in_the_canonical_pose(source: Path, tmp_path: Path) -> None:
    report = prepare(source, tmp_path / "out", size=64, detector=Painted())
    assert report["kept"] == report["pictures"] == 4
    crop = cv2.imread(str(tmp_path / "out" / "Ada" / "0.jpg.png"))
    assert crop.shape == (64, 64, 3)
    assert (crop[4:-4, 4:-4, 2] > 200).all()  # the square fills the crop exactly


def test_what_was_dropped_is_reported_with_its_reason(source: Path, tmp_path: Path) -> None:
    picture(source / "Ada" / "nobody.jpg")
    picture(source / "Ada" / "tiny.png", (80, 80, 20))
    (source / "Ada" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (source / "Ada" / "empty.jpg").write_bytes(b"")
    (source / "Ada" / "notes.txt").write_text("not a picture at all")
    picture(source / "Ada" / "crowd.png", (5, 5, 40), (70, 40, 90))
    report = prepare(source, tmp_path / "out", detector=Painted())
    assert {(d["picture"], d["reason"]) for d in report["dropped"]} == {
        ("nobody.jpg", "no face found"),
        ("tiny.png", "face too small (7 pixels between the eyes)"),
        ("broken.jpg", "is cut short (truncated): its end is missing"),
        ("empty.jpg", "is empty (0 bytes)"),
    }
    assert report["skipped"] == [
        {"person": "Ada", "picture": "notes.txt", "reason": ".txt is no kind of picture that is read"}
    ]
    assert report["reasons"]["2 faces, kept the large one near the middle"] == 1
    assert json.loads((tmp_path / "out" / "prepare.json").read_text())["kept"] == report["kept"] == 5


class Upright(Painted):
    """Finds a face only where a blue bar lies above it, as the hair lies above a face."""

    def detect(self, bgr: np.ndarray) -> list[DetectedFace]:
        found = []
        for face in super().detect(bgr):
            x1, y1, x2, _ = (round(float(edge)) for edge in face.box)
            above = bgr[max(0, y1 - 12) : max(0, y1 - 2), x1:x2]
            if above.size and (above[..., 0] > 200).mean() > 0.5:
                found.append(face)
        return found


@pytest.mark.parametrize(
    ("how", "remark"),
    [
        (cv2.ROTATE_180, "stood on its head, turned"),
        (cv2.ROTATE_90_CLOCKWISE, "lay on its side, turned"),
        (cv2.ROTATE_90_COUNTERCLOCKWISE, "lay on its side, turned"),
    ],
)
@pytest.mark.parametrize("enlarged", [1, 7])
def test_a_picture_that_was_never_turned_upright_gives_an_upright_crop(how: int, remark: str, enlarged: int) -> None:
    canvas = np.full((160, 200, 3), 128, dtype=np.uint8)
    canvas[30:120, 40:130] = (0, 0, 255)
    canvas[30:75, 40:130, 1] = 40  # the upper half is another red
    canvas[15:30, 40:130] = (255, 0, 0)
    canvas = cv2.resize(canvas, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_NEAREST)
    upright, nothing, _ = crop_of(canvas, Upright(), 64)
    turned, said, _ = crop_of(np.ascontiguousarray(cv2.rotate(canvas, how)), Upright(), 64)
    assert (nothing, said) == ("", remark)
    assert upright is not None
    assert turned is not None
    assert np.abs(upright.astype(int) - turned).mean() < 4


def test_a_small_face_in_a_large_photograph_is_found_in_its_part() -> None:
    class Shrinks(Painted):
        """Sees no face whose side is below 20 pixels once the picture's longer side is 640."""

        def detect(self, bgr: np.ndarray) -> list[DetectedFace]:
            scale = min(1.0, 640 / max(bgr.shape[:2]))
            return [face for face in super().detect(bgr) if (face.box[2] - face.box[0]) * scale >= 20]

    canvas = np.full((1500, 4000, 3), 128, dtype=np.uint8)
    for x, y in ((940, 100), (3900, 1430)):  # across two parts' edge, and in the last corner
        canvas[y : y + 60, x : x + 60] = (0, 0, 255)
    found = sorted(face.box.tolist() for face in find_faces(Shrinks(), canvas))
    assert found == [[940, 100, 1000, 160], [3900, 1430, 3960, 1490]]
    crop, _, count = crop_of(canvas, Shrinks(), 64)
    assert crop is not None
    assert count == 2
    assert (crop[4:-4, 4:-4, 0] > 200).all()


@pytest.mark.parametrize("person", ["..", ".", "../victim", "/"])
def test_a_record_that_names_what_lies_outside_deletes_nothing(source: Path, tmp_path: Path, person: str) -> None:
    prepare(source, tmp_path / "out", detector=Painted())
    for victim in (tmp_path / "x.jpg.png", tmp_path / "out" / "x.jpg.png", tmp_path / "victim" / "x.jpg.png"):
        victim.parent.mkdir(exist_ok=True)
        victim.write_bytes(b"mine")
    record = json.loads((tmp_path / "out" / "prepare.json").read_text())
    record["outcomes"].append({**record["outcomes"][0], "person": person, "picture": "x.jpg"})
    (tmp_path / "out" / "prepare.json").write_text(json.dumps(record))
    prepare(source, tmp_path / "out", detector=Painted())
    assert len(list(tmp_path.rglob("x.jpg.png"))) == 3


def test_nothing_is_deleted_through_a_link(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "out", detector=Painted())
    (tmp_path / "out" / "Ada").rename(tmp_path / "elsewhere")
    (tmp_path / "out" / "Ada").symlink_to(tmp_path / "elsewhere")
    shutil.rmtree(source / "Ada")
    prepare(source, tmp_path / "out", detector=Painted())
    assert len(list((tmp_path / "elsewhere").iterdir())) == 2


@pytest.mark.parametrize("name", ["x" * 251 + ".jpg", "ä" * 125 + ".jpg", "new\nline.jpg", "-dash.jpg", "[b]%s'\".jpg"])
def test_any_name_that_a_picture_may_have_gives_a_crop(source: Path, tmp_path: Path, name: str) -> None:
    picture(source / "Ada" / "2.jpg", (40, 30, 90)).rename(source / "Ada" / name)
    assert prepare(source, tmp_path / "out", detector=Painted())["kept"] == 5
    assert len(list((tmp_path / "out" / "Ada").iterdir())) == 3
    people = read_people([tmp_path / "out"])
    assert all(people.photographs)
    (source / "Ada" / name).unlink()
    prepare(source, tmp_path / "out", detector=Painted())
    assert len(list((tmp_path / "out" / "Ada").iterdir())) == 2


def test_a_pipe_among_the_pictures_is_not_waited_for(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "Ada" / "pipe.jpg")
    report = prepare(source, tmp_path / "out", detector=Painted())
    assert [(s["picture"], s["reason"]) for s in report["skipped"]] == [("pipe.jpg", "no ordinary file")]


def test_a_second_run_looks_only_at_what_is_new_or_changed(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "out", detector=Painted())
    again = Painted()
    first = prepare(source, tmp_path / "out", detector=again)
    assert again.calls == 0
    picture(source / "Ada" / "new.jpg", (10, 10, 100))
    picture(source / "Grace" / "1.jpg", (30, 30, 80))
    (tmp_path / "out" / "Grace" / "0.jpg.png").unlink()
    second = prepare(source, tmp_path / "out", detector=again)
    assert again.calls == 3
    assert second["kept"] == first["kept"] + 1 == len(list((tmp_path / "out").glob("*/*.png")))


def test_the_crop_of_a_removed_picture_goes_and_foreign_files_stay(source: Path, tmp_path: Path) -> None:
    picture(source / "Ada" / "2.jpg", (40, 30, 90))
    prepare(source, tmp_path / "out", detector=Painted())
    mine = tmp_path / "out" / "Ada" / "holiday.png"
    mine.write_bytes(b"mine")
    (source / "Ada" / "2.jpg").unlink()
    prepare(source, tmp_path / "out", detector=Painted())
    assert not (tmp_path / "out" / "Ada" / "2.jpg.png").exists()
    assert mine.exists()


class Interrupted(Painted):
    """Interrupted at its fourth picture."""

    def detect(self, bgr: np.ndarray) -> list[DetectedFace]:
        if self.calls == 3:
            raise KeyboardInterrupt
        return super().detect(bgr)


def test_an_interrupted_run_is_taken_up_again(source: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "out", detector=Interrupted())
    with pytest.raises(BadInput, match=r"out: its preparation was interrupted; run tools\.prepare again"):
        read_people([tmp_path / "out"], allow_single=True)
    rest = Painted()
    assert prepare(source, tmp_path / "out", detector=rest)["kept"] == 4
    assert rest.calls == 1
    assert read_people([tmp_path / "out"]).names == ("Ada", "Grace")


@pytest.mark.parametrize("size", [128, 64])
def test_after_an_interruption_the_people_of_the_run_before_are_not_forgotten(
    source: Path, tmp_path: Path, size: int
) -> None:
    prepare(source, tmp_path / "out", detector=Painted())
    for name in ("Joan", "Mary"):
        for index in range(2):
            picture(tmp_path / "others" / name / f"{index}.jpg", (40, 30, 90))
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "others", tmp_path / "out", size=size, detector=Interrupted())
    assert len(list((tmp_path / "out" / "Ada").iterdir())) == 2
    prepare(tmp_path / "others", tmp_path / "out", size=size, detector=Painted())
    assert read_people([tmp_path / "out"]).names == ("Joan", "Mary")


def test_a_crop_that_an_interrupted_run_did_not_come_to_is_not_taken_for_one_of_its_size(
    source: Path, tmp_path: Path
) -> None:
    prepare(source, tmp_path / "out", size=48, detector=Painted())
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "out", size=64, detector=Interrupted())
    prepare(source, tmp_path / "out", size=64, detector=Painted())
    assert read_people([tmp_path / "out"]).crops.shape == (4, 64, 64, 3)


def test_of_a_person_who_was_removed_nothing_is_left(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "out", detector=Painted())
    shutil.rmtree(source / "Ada")
    prepare(source, tmp_path / "out", detector=Painted())
    assert not (tmp_path / "out" / "Ada").exists()
    assert read_people([tmp_path / "out"]).names == ("Grace",)


def test_another_size_makes_all_crops_anew(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "out", size=64, detector=Painted())
    prepare(source, tmp_path / "out", size=48, detector=Painted())
    assert {cv2.imread(str(p)).shape for p in (tmp_path / "out").glob("*/*.png")} == {(48, 48, 3)}


def test_pictures_without_a_face_are_kept_as_they_are_only_on_request(source: Path, tmp_path: Path) -> None:
    canvas = np.full((100, 140, 3), 128, dtype=np.uint8)
    canvas[:, 20:120] = 60  # the largest centred square
    cv2.imwrite(str(source / "Ada" / "crop.png"), canvas)
    report = prepare(source, tmp_path / "a", size=50, detector=Painted())
    assert [d["picture"] for d in report["dropped"]] == ["crop.png"]
    report = prepare(source, tmp_path / "b", size=50, detector=Painted(), keep_undetected=True)
    assert report["dropped"] == []
    assert report["reasons"] == {"no face found, nominal geometry used": 1}
    crop = cv2.imread(str(tmp_path / "b" / "Ada" / "crop.png.png"))
    assert (crop[2:-2, 2:-2] == 60).all()


def test_nominal_landmarks_are_the_template_in_the_centred_square() -> None:
    np.testing.assert_allclose(nominal_landmarks((224, 300, 3)), template(224) + np.array([38, 0]))


def test_a_person_with_one_picture_is_refused_unless_allowed(source: Path, tmp_path: Path) -> None:
    (source / "Ada" / "1.jpg").unlink()
    with pytest.raises(BadInput, match=r"Ada: holds 1 picture, at least 2 .* --allow-single"):
        prepare(source, tmp_path / "out", detector=Painted())
    assert not (tmp_path / "out").exists()
    assert prepare(source, tmp_path / "out", detector=Painted(), allow_single=True)["kept"] == 3


def test_a_person_of_whom_too_few_faces_were_found_is_named(source: Path, tmp_path: Path) -> None:
    picture(source / "Ada" / "1.jpg")
    with pytest.raises(BadInput, match="Ada: faces were found in 1 of 2 pictures"):
        prepare(source, tmp_path / "out", detector=Painted())


def test_a_target_inside_the_source_is_refused(source: Path) -> None:
    with pytest.raises(BadInput, match="lies in the source"):
        prepare(source, source / "crops", detector=Painted())


def test_a_real_face_is_found_also_in_a_small_tight_picture(tmp_path: Path) -> None:
    face = np.ascontiguousarray(skimage.data.astronaut()[60:190, 160:290, ::-1])
    folder = tmp_path / "people" / "Eileen_Collins"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "large.png"), skimage.data.astronaut()[..., ::-1])
    cv2.imwrite(str(folder / "tight.jpg"), face)
    report = prepare(tmp_path / "people", tmp_path / "out", size=112, detector=MtcnnDetector())
    assert report["kept"] == 2
    crops = [cv2.imread(str(p)).astype(float) for p in sorted((tmp_path / "out").glob("*/*.png"))]
    inner = [crop[20:92, 20:92].ravel() for crop in crops]
    assert np.corrcoef(inner[0], inner[1])[0, 1] > 0.95  # the same pose from both pictures
