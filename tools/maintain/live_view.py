"""Makes the README's picture of the live view: the demo is played and recorded, one moment of each act is kept."""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import tempfile
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from models.arrays import Bytes
from realtime.cameras.demo_scene import ACTS, FPS
from realtime.commands.demo import Demo
from realtime.session import Outputs, run
from realtime.settings.config import CameraConfig, Config

app = typer.Typer(add_completion=False, help=__doc__)


def moments(film: Path, seconds: list[float]) -> list[Bytes]:
    """The pictures of a film at these moments, (H, W, 3) BGR each."""
    capture = cv2.VideoCapture(str(film))
    try:
        pictures = []
        for moment in seconds:
            capture.set(cv2.CAP_PROP_POS_MSEC, moment * 1e3)
            _, picture = capture.read()
            pictures.append(np.asarray(picture, np.uint8))
        return pictures
    finally:
        capture.release()


@app.command()
def main(
    out: Annotated[Path, typer.Option("--out", help="The picture (.png).")] = Path("docs/pictures/live_view.png"),
    act_seconds: Annotated[float, typer.Option("--act-seconds", min=2, help="Length of an act.")] = 8.0,
    at: Annotated[float, typer.Option("--at", min=0, max=1, help="Which moment of each act, as a share.")] = 0.85,
    every_frame: Annotated[
        bool,
        typer.Option("--every-frame", help="Decide on each frame, for a busy machine; takes minutes."),
    ] = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Play the demo once and put one moment of each act side by side."""
    cli.check_writable(json_file, out)
    length = act_seconds * len(ACTS)
    played = Demo(act_seconds, frames=round(length * FPS), every_frame=every_frame)
    camera = CameraConfig(name="demo", source=played.as_source(), every_frame=every_frame)
    config = Config(cameras=[camera])
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "demo.mp4"
        summary = run(config, Outputs(record=film, on_decision=[played.count], note=played.note))
        pictures = moments(film, [(act + at) * act_seconds for act in range(len(ACTS))])
    _, encoded = cv2.imencode(".png", np.hstack(pictures), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    cli.write_whole(out, encoded.tobytes())
    cli.write_json(json_file, summary | {"acts": played.acts(), "picture": out.name})
    cli.console.print(f"{out}: {', '.join(ACTS)}")


if __name__ == "__main__":
    cli.run_app(app)
