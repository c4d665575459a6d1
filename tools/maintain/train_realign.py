"""Trains the net of ``realtime.faces.realign`` on displaced crops: ``python -m tools.maintain.train_realign CROPS``.

Each step moves, turns and resizes crops in the canonical pose by a known similarity, some of them with plain or noisy
glasses, and asks for it back from the middle of the crop with the eyewear zone filled.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
import typer
from onnx import TensorProto, helper, numpy_helper
from rich.progress import track
from torch import nn

from models.crop.pose import TEMPLATE_SIDE
from models.crop.wearables import SHAPES, frame_mask
from models.crop.zones import zone_mask
from models.errors import BadInput
from models.training import augment
from realtime.faces.realign import ASSET, COLUMNS, FILL, ROWS, SIDE, UNITS
from tools.faces.people import read_people

app = typer.Typer(add_completion=False, help=__doc__)
#: The largest displacement: shift in pixels of 224 (the window then stays within the picture), degrees, log of size.
SHIFT, DEGREES, SIZE = 36.0, 12.0, 0.25


class RealignNet(nn.Sequential):
    """(N, 3, 68, 68) in about [-1, 1] -> (N, 4) in ``UNITS``; 290 000 parameters."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        super().__init__(*layers, nn.Flatten(), nn.Linear(64 * 8 * 8, 64), nn.ReLU(), nn.Linear(64, 4))


def displaced(
    crops: torch.Tensor, generator: torch.Generator, *, small: float = 0.3
) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops (N, 3, T, T) on 0-255 -> (N, 3, 112, 112) moved at random, and the way back (N, 4) in ``UNITS``.

    ``small``: the share that is moved by no more than a quarter of the largest displacement.
    """
    count = len(crops)
    reach = torch.where(torch.rand(count, generator=generator) < small, 0.25, 1.0)
    angle = torch.rand(count, generator=generator) * 2 * math.pi
    far = torch.rand(count, generator=generator).sqrt() * SHIFT * reach
    turn = (torch.rand(count, generator=generator) * 2 - 1) * DEGREES * reach
    size = (torch.rand(count, generator=generator) * 2 - 1) * SIZE * reach
    x, y = far * angle.cos(), far * angle.sin()
    theta = torch.zeros(count, 2, 3)
    cosine, sine = torch.cos(torch.deg2rad(turn)) * size.exp(), torch.sin(torch.deg2rad(turn)) * size.exp()
    theta[:, 0, 0], theta[:, 0, 1], theta[:, 0, 2] = cosine, -sine, x * 2 / TEMPLATE_SIDE
    theta[:, 1, 0], theta[:, 1, 1], theta[:, 1, 2] = sine, cosine, y * 2 / TEMPLATE_SIDE
    grid = F.affine_grid(theta, [count, 3, SIDE, SIDE], align_corners=False)
    moved = F.grid_sample(crops, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return moved, torch.stack([x, y, turn, size], dim=1) / torch.tensor(UNITS)


def noisy_glasses(crops: torch.Tensor, generator: torch.Generator, *, share: float) -> torch.Tensor:
    """Glasses full of noise on some crops, as adversarial ones look."""
    crops = crops.clone()
    for index in torch.nonzero(torch.rand(len(crops), generator=generator) < share).flatten().tolist():
        shape = SHAPES[int(torch.randint(len(SHAPES), (), generator=generator))]
        alpha = torch.from_numpy(frame_mask(shape, crops.shape[-1]).copy())
        noise = torch.rand(crops[index].shape, generator=generator) * 255
        crops[index] = crops[index] * (1 - alpha) + noise * alpha
    return crops


def seen(crops: torch.Tensor) -> torch.Tensor:
    """(N, 3, 112, 112) on 0-255 -> what the net gets."""
    zone = torch.from_numpy(zone_mask("eyewear", SIDE).copy())
    hidden = torch.where(zone, torch.tensor(FILL, dtype=crops.dtype).view(1, 3, 1, 1), crops)
    return (hidden[:, :, ROWS[0] : ROWS[1], COLUMNS[0] : COLUMNS[1]] - 127.5) / 128


def exported(net: RealignNet) -> bytes:
    """The graph: ``pixels`` (N, 68, 68, 3) uint8 RGB -> ``displacement`` (N, 4) in ``UNITS``; weights in float16."""
    nodes, constants = [], []

    def constant(name: str, values: Any, dtype: Any = np.float32) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weight(name: str, values: torch.Tensor) -> str:
        half = constant(f"{name}.half", values.detach().numpy(), np.float16)
        return node("Cast", [half], name, to=TensorProto.FLOAT)

    value = node("Cast", ["pixels"], "float", to=TensorProto.FLOAT)
    value = node("Transpose", [value], "channels_first", perm=[0, 3, 1, 2])
    value = node("Sub", [value, constant("middle", 127.5)], "centred")
    value = node("Div", [value, constant("span", 128.0)], "scaled")
    for number, layer in enumerate(net):
        name = f"layer{number}" if number < len(net) - 1 else "displacement"
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.bias is not None
            inputs = [value, weight(f"{name}.weight", layer.weight), weight(f"{name}.bias", layer.bias)]
            if isinstance(layer, nn.Conv2d):
                value = node("Conv", inputs, name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            else:
                value = node("Gemm", inputs, name, transB=1)
        elif isinstance(layer, nn.MaxPool2d):
            value = node("MaxPool", [value], name, kernel_shape=[2, 2], strides=[2, 2])
        else:
            value = node("Flatten" if isinstance(layer, nn.Flatten) else "Relu", [value], name)
    side = [ROWS[1] - ROWS[0], COLUMNS[1] - COLUMNS[0], 3]
    graph = helper.make_graph(
        nodes,
        "realign",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", *side])],
        [helper.make_tensor_value_info("displacement", TensorProto.FLOAT, ["N", 4])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def train_net(crops: torch.Tensor, *, steps: int, batch: int, seed: int) -> RealignNet:
    """Fit the net to crops (N, T, T, 3) uint8 in the canonical pose."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = RealignNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))
    for _ in track(range(steps), description="steps", console=cli.console):
        chosen = torch.randint(len(crops), (batch,), generator=generator)
        x = crops[chosen].permute(0, 3, 1, 2).float()
        mirrored = (torch.rand(batch, generator=generator) < 0.5).view(-1, 1, 1, 1)
        x = torch.where(mirrored, x.flip(3), x)
        x = noisy_glasses(augment.innocent_glasses(x, generator, share=0.3), generator, share=0.2)
        x, wanted = displaced(x, generator)
        x = augment.sharpness(augment.light(x, generator), generator)
        loss = F.smooth_l1_loss(net(seen(x)), wanted, beta=0.25)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def errors(net: RealignNet, crops: torch.Tensor, *, seed: int) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of what is left of a random displacement, and of none at all, in pixels of 224."""
    generator = torch.Generator().manual_seed(seed)
    x = crops.permute(0, 3, 1, 2).float()
    unmoved = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    moved, wanted = displaced(x, generator, small=0.0)
    units = torch.tensor(UNITS)

    def quantiles(left: torch.Tensor) -> dict[str, float]:
        off = left[:, :2].norm(dim=1)
        off = off + 95 * torch.hypot(torch.deg2rad(left[:, 2]), left[:, 3].exp() - 1)
        return {"p50": round(float(off.median()), 2), "p95": round(float(off.quantile(0.95)), 2)}

    return {
        "displacement": quantiles(wanted * units),
        "left of it": quantiles((wanted - net(seen(moved))) * units),
        "said of crops in place": quantiles(net(seen(unmoved)) * units),
    }


@app.command()
def main(
    data: Annotated[list[Path], typer.Argument(help="Folders with a folder of aligned crops per person.")],
    out: Annotated[Path, typer.Option(help="The graph.")] = Path(ASSET),
    steps: Annotated[int, typer.Option(min=1)] = 3000,
    batch: Annotated[int, typer.Option(min=1)] = 128,
    held_out: Annotated[int, typer.Option(min=1, help="Last people by name, for the figures.")] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    json_file: cli.JsonFile = None,
) -> None:
    """Train, measure on people left out, write the graph."""
    cli.check_writable(json_file, out)
    torch.set_num_threads(threads)
    people = read_people(data, aligned=True, allow_single=True)
    if held_out >= len(people.names):
        raise BadInput(f"--held-out {held_out}: there are {len(people.names)} people, some have to be trained on")
    border = len(people.names) - held_out
    fitted, measured = people.of(range(border)), people.of(range(border, len(people.names)))
    net = train_net(torch.from_numpy(fitted.crops), steps=steps, batch=batch, seed=seed)
    figures = errors(net, torch.from_numpy(measured.crops), seed=seed)
    cli.write_whole(out, exported(net))
    result = {"crops": len(fitted), "measured on": len(measured), "steps": steps, "errors of 224": figures}
    cli.write_json(json_file, result)
    for name, figure in result.items():
        cli.console.print(f"{name}: {figure}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    cli.run_app(app)
