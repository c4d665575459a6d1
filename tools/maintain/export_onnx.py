"""Checks a bundle's ONNX classifier against torch, and writes it out for other runtimes."""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from pathlib import Path
from typing import Annotated

import typer

from models.bundle import load_bundle
from models.errors import BadInput
from models.graphs.export import check_against_torch, export_classifier

app = typer.Typer(add_completion=False, help=__doc__)


def checked(bundle: str | None, out: Path | None, crops: int) -> dict[str, str | int | float | None]:
    """The largest logit difference between ONNX Runtime and torch on random crops; writes ``out`` if given.

    Raises:
        BadInput: they differ by more than 1e-4 x max(1, largest logit), or ``out`` cannot be written.
    """
    opened = load_bundle(bundle)
    model = opened.torch_model()
    difference = check_against_torch(opened.classifier_path.read_bytes(), model, crops=crops)
    if out is not None:
        if out.suffix != ".onnx":
            raise BadInput(f"cannot export to {out}: the name must end in .onnx")
        try:
            export_classifier(model, out)
        except OSError as error:
            raise BadInput(f"cannot write {out}: {error.strerror}; give a file in a writable folder") from error
    return {
        "bundle": opened.info.name,
        "classifier_sha256": opened.checksum,
        "megabytes": round(opened.classifier_path.stat().st_size / 1e6, 2),
        "crops": crops,
        "largest_logit_difference": difference,
        "out": None if out is None else str(out),
    }


@app.command()
def main(
    bundle: Annotated[str | None, typer.Argument(help="Name or folder of a bundle; none: the embedded one.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the classifier to this .onnx file.")] = None,
    crops: Annotated[int, typer.Option("--crops", min=1, help="Random crops to compare on.")] = 32,
    json_file: cli.JsonFile = None,
) -> None:
    """Compare the bundle's ONNX logits with torch's from the same weights."""
    found = checked(bundle, out, crops)
    cli.write_json(json_file, found)
    cli.console.print(f"{found['bundle']}: logits differ by at most {found['largest_logit_difference']:.1e}")


if __name__ == "__main__":
    cli.run_app(app)
