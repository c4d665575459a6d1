"""Trains the net of ``realtime.faces.realign`` on displaced crops: ``python -m tools.maintain.train_realign CROPS``.

Each step moves, turns and resizes crops in the canonical pose by a known similarity and asks for it back from the
middle of the crop with the eyewear zone filled. A third of the crops wear glasses full of noise, and in every other
step that noise was first changed against the net (one step of the gradient's sign, Goodfellow et al. 2015): in a
displaced crop they stick out of the zone. A third may wear plain glasses.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import math
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from rich.progress import track

from models.crop.pose import TEMPLATE_SIDE
from models.crop.wearables import SHAPES, frame_mask
from models.errors import BadInput
from models.training import augment
from realtime.faces.realign import ASSET, SIDE, UNITS
from tools.faces.crop_sources import every_crop, open_source
from tools.faces.realign_net import RealignNet, exported, seen

app = typer.Typer(add_completion=False, help=__doc__)
#: The largest displacement: shift in pixels of 224 (the window then stays within the picture), degrees, log of size.
SHIFT, DEGREES, SIZE = 42.0, 14.0, 0.28
#: Side of the crops that are displaced.
CROPS = 128
#: Share of the steps before the net is attacked, and the longest step against it in grey levels.
_CALM, _STEP = 0.15, 160.0


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


def frames(count: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """Where random pairs of glasses lie, (count, 1, side, side) between 0 and 1."""
    drawn = torch.randint(len(SHAPES), (count,), generator=generator).tolist()
    masks = [torch.from_numpy(np.array(frame_mask(SHAPES[kind], side), np.float32)) for kind in drawn]
    return torch.stack(masks).view(count, 1, side, side)


def noise(count: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """(count, 3, side, side) on 0-255: coloured noise of a random grain, smooth or in squares."""
    grain = int(torch.randint(4, side, (), generator=generator))
    coarse = torch.rand(count, 3, grain, grain, generator=generator) * 255
    mode = "bilinear" if torch.rand((), generator=generator) < 0.5 else "nearest"
    return F.interpolate(coarse, size=(side, side), mode=mode)


def against(
    net: RealignNet, crops: torch.Tensor, alpha: torch.Tensor, shown: torch.Tensor, seed: int, levels: float
) -> torch.Tensor:
    """The noise ``shown`` where crops wear it, changed by so many ``levels`` so that the net errs about a displacement.

    ``seed``: of the displacement; ``displaced`` with a generator of that seed repeats it.
    """
    pixels = shown.clone().requires_grad_(True)
    moved, wanted = displaced(crops * (1 - alpha) + pixels * alpha, torch.Generator().manual_seed(seed))
    loss = F.smooth_l1_loss(net(seen(moved)), wanted, beta=0.25)
    (gradient,) = torch.autograd.grad(loss, pixels)
    return (shown + levels * gradient.sign()).clamp(0, 255)


def train_net(crops: torch.Tensor, *, steps: int, batch: int, seed: int) -> RealignNet:
    """Fit the net to crops (N, T, T, 3) uint8 in the canonical pose."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = RealignNet().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps + 1, pct_start=0.05)
    noisy = batch // 3
    for step in track(range(steps), description="steps", console=cli.console):
        chosen = torch.randint(len(crops), (batch,), generator=generator)
        x = crops[chosen].permute(0, 3, 1, 2).float()
        mirrored = (torch.rand(batch, generator=generator) < 0.5).view(-1, 1, 1, 1)
        x = torch.where(mirrored, x.flip(3), x)
        alpha, shown = frames(noisy, x.shape[-1], generator), noise(noisy, x.shape[-1], generator)
        again = int(torch.randint(1 << 30, (), generator=generator))
        if step > _CALM * steps and step % 2:
            levels = float(torch.rand((), generator=generator)) * _STEP
            shown = against(net, x[:noisy], alpha, shown, again, levels)
        worn = x[:noisy] * (1 - alpha) + shown * alpha
        plain = augment.innocent_glasses(x[noisy : 2 * noisy], generator, share=0.6)
        first, way = displaced(worn, torch.Generator().manual_seed(again))
        others, ways = displaced(torch.cat([plain, x[2 * noisy :]]), generator)
        moved, wanted = torch.cat([first, others]), torch.cat([way, ways])
        moved = augment.sharpness(augment.light(moved, generator), generator)
        loss = F.smooth_l1_loss(net(seen(moved)), wanted, beta=0.25)
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
    data: Annotated[list[Path], typer.Argument(help="Packs of aligned crops, folders with a folder per person.")],
    out: Annotated[Path, typer.Option(help="The graph.")] = Path(ASSET),
    steps: Annotated[int, typer.Option(min=1)] = 4000,
    batch: Annotated[int, typer.Option(min=3)] = 96,
    held_out: Annotated[int, typer.Option(min=1, help="Crops left out, for the figures.")] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    json_file: cli.JsonFile = None,
) -> None:
    """Train, measure on crops left out, write the graph."""
    cli.check_writable(json_file, out)
    torch.set_num_threads(threads)
    read = np.concatenate([every_crop(open_source(path), CROPS) for path in data])
    if held_out >= len(read):
        raise BadInput(f"--held-out {held_out}: there are {len(read)} crops, some have to be trained on")
    crops = torch.from_numpy(read)
    order = torch.randperm(len(crops), generator=torch.Generator().manual_seed(seed))
    measured, fitted = order[:held_out], order[held_out:]
    net = train_net(crops[fitted], steps=steps, batch=batch, seed=seed)
    figures = errors(net, crops[measured], seed=seed)
    cli.write_whole(out, exported(net))
    result = {"crops": len(fitted), "measured on": held_out, "steps": steps, "errors of 224": figures}
    cli.write_json(json_file, result)
    for name, figure in result.items():
        cli.console.print(f"{name}: {figure}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    cli.run_app(app)
