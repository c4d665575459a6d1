"""What a Python program calls: ``realtime.explain`` a picture, ``realtime.stream`` what cameras show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.arrays import Bytes
from models.policy import State
from realtime.outputs.explanation.words import Explanation
from realtime.outputs.newest_of_each import Waiting
from realtime.settings.config import Config, load_config
from realtime.types import FacesInFrame, Frame, TrackedFace
from realtime.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from realtime.decisions import OnDecision
    from realtime.metrics import Summary


def explain(
    photo: str | Path | Bytes,
    *,
    config: str | Path | None = None,
    bundle: str | None = None,
    gallery: str | None = None,
    engine: str | None = None,
) -> list[Explanation]:
    """Why each face of a picture is named, or not.

    ``realtime.outputs.explanation.picture.picture_of`` makes a picture of an explanation, ``page.page_of`` a page.

    Args:
        photo: a file, or (H, W, 3) uint8 BGR.
        config, bundle, gallery, engine: as on the command line.

    Raises:
        BadInput: the file is no picture, or it shows no face.
    """
    from realtime.commands.explain import explanations_of
    from realtime.commands.identify import Identifier
    from realtime.people.photo import read_photo

    settings = _settings(config, bundle=bundle, gallery=gallery, engine=engine)
    given = isinstance(photo, str | Path)
    picture = read_photo(Path(photo)) if isinstance(photo, str | Path) else photo
    return explanations_of(Identifier(settings), picture, str(photo) if given else "the picture")


@dataclass(frozen=True)
class Told:
    """What a face that is followed is taken to be now.

    ``verdict`` and ``track`` have everything; the properties are what most programs want.
    """

    frame: Frame
    track: TrackedFace
    verdict: Verdict

    @property
    def camera(self) -> str:
        return self.frame.camera

    @property
    def state(self) -> State:
        """known, unknown or suspected_attack."""
        return self.verdict.state

    @property
    def name(self) -> str | None:
        """Who it is (known), or who it claims to be (suspected_attack)."""
        return self.verdict.identity or self.verdict.claimed

    @property
    def clip_seconds(self) -> float | None:
        """Where in the file, if every frame of one is worked on."""
        return self.frame.file_time


def watch(
    source: str | int | None = None,
    *,
    on_verdict: Callable[[Told], None] | None = None,
    on_decision: OnDecision | None = None,
    every_frame: bool = False,
    seconds: float | None = None,
    config: str | Path | None = None,
    bundle: str | None = None,
    gallery: str | None = None,
    engine: str | None = None,
    running: Callable[[Callable[[], None]], None] = lambda stop_soon: None,
) -> Summary:
    """Run until the cameras end, and be called back; gives the run's figures.

    Callbacks come from the run's own threads and should return at once; one that fails is logged and goes on.

    Args:
        source: a webcam's number, an address, a file; None: the cameras of ``config``.
        on_verdict: told of each face's verdict whenever it was decided on anew.
        on_decision: told of every single look: (crop, evidence, decision without the defence, decision).
        every_frame: files: work on every frame, however long it takes.
        seconds: stop after so long.
        config, bundle, gallery, engine: as on the command line.
        running: given a function that ends the run soon, from any thread.

    Raises:
        BadInput: a source, a bundle or the configuration cannot be used.
    """
    from realtime.session import Outputs, run

    settings = _settings(config, sources=source is None, bundle=bundle, gallery=gallery, engine=engine)
    if source is not None:
        settings = settings.with_source(str(source), every_frame=every_frame or None)
    outputs = Outputs(
        seconds=seconds,
        on_decision=[] if on_decision is None else [on_decision],
        on_verdicts=[] if on_verdict is None else [_Newest(on_verdict).put],
        running=running,
    )
    return run(settings, outputs)


def stream(source: str | int | None = None, *, every_frame: bool = False, **options: Any) -> Iterator[Told]:
    """Each face's verdict, whenever it was decided on anew, until the cameras end or the loop is left.

    Live, a loop that is slower than the decisions misses some and always gets a face's newest; it delays nothing.
    With ``every_frame`` the run waits for the loop. Leaving the loop ends the run. ``options`` are those of ``watch``.

    Raises:
        BadInput: as ``watch``.
    """
    waiting = Waiting[Told](patient=every_frame)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            watch(
                source,
                every_frame=every_frame,
                on_verdict=lambda told: waiting.put((told.camera, told.track.track_id), told),
                running=waiting.when_left,
                **options,
            )
        except BaseException as error:
            failures.append(error)
        finally:
            waiting.end()

    thread = threading.Thread(target=work, name="stream", daemon=True)
    thread.start()
    try:
        while (told := waiting.next()) is not None:
            yield told
        if failures:
            raise failures[0]
    finally:
        waiting.leave()
        thread.join()


class _Newest:
    """Passes each face's verdict on once for every new decision."""

    def __init__(self, tell: Callable[[Told], None]) -> None:
        self._tell = tell
        self._seen: dict[tuple[str, int], float] = {}

    def put(self, found: FacesInFrame, verdicts: Mapping[int, Verdict]) -> None:
        camera = found.frame.camera
        present = {(camera, crop.track.track_id) for crop in found.crops}
        self._seen = {key: at for key, at in self._seen.items() if key[0] != camera or key in present}
        for crop in found.crops:
            verdict, key = verdicts.get(crop.track.track_id), (camera, crop.track.track_id)
            if verdict is not None and self._seen.get(key) != verdict.decided_at:
                self._seen[key] = verdict.decided_at
                self._tell(Told(found.frame, crop.track, verdict))


def _settings(config: str | Path | None, *, sources: bool = False, **recognition: str | None) -> Config:
    settings = load_config(config, sources=sources)
    changes: dict[str, Any] = {key: value for key, value in recognition.items() if value is not None}
    return settings.model_copy(update={"recognition": settings.recognition.model_copy(update=changes)})
