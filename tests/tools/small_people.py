"""An untrained recogniser that names different people with confidence, and crops that it is right about."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from models.bundle import BundleInfo, DefenceInfo, PolicyInfo, TrunkInfo, write_bundle, write_description
from models.network.vgg16 import CAFFE_INPUT, VGG16
from models.recogniser import Recogniser, load_recogniser
from tools.faces.people import read_people
from tools.faces.splits import SEEN, fingerprints, split

SIZE = 32
NAMES = ("Ada Byron", "Grace Hopper", "Lise Meitner", "Mary Ward")


def crops(count: int, seed: int = 5) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return np.stack([cv2.resize(one, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for one in coarse])


def make_recogniser(folder: Path) -> Recogniser:
    torch.manual_seed(0)
    model = VGG16(classes=4, input_size=SIZE, hidden=16).eval()
    with torch.no_grad():
        for layer in model.convolutions().values():
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        pixels = torch.from_numpy(crops(32)).permute(0, 3, 1, 2).float() / 255
        model.head[-1].weight.div_(model(pixels).std() / 3)
        model.head[-1].bias.sub_(model(pixels).mean(0))
    info = BundleInfo(
        name="small",
        labels=NAMES,
        input_size=SIZE,
        hidden=16,
        trunk=TrunkInfo(source="random", mean=CAFFE_INPUT.mean, channel_order="BGR"),
        defence=DefenceInfo(threshold=0.9, iterations=1, min_area=2),
        policy=PolicyInfo(),
    )
    write_bundle(folder, model, info)
    return load_recogniser(folder, "onnxruntime-cpu", threads=1)


def write_people(recogniser: Recogniser, folder: Path, *, seed: int = 5, count: int = 32) -> Path:
    """Crops in the folder of the person that the net takes them for."""
    pictures = crops(count, seed)
    for number, (crop, label) in enumerate(zip(pictures, recogniser.classify(pictures).argmax(1), strict=True)):
        person = folder / NAMES[label].replace(" ", "_")
        person.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(person / f"{number:02d}.png"), crop[..., ::-1])
    return folder


def trained_on(recogniser: Recogniser, folder: Path) -> Recogniser:
    """The recogniser with a record that says it was trained on the folder, half of it held out."""
    people = read_people([folder], aligned=True, allow_single=True)
    _, held = split(people.labels, share=0.5, seed=0)
    training = {
        "settings": {"validation_share": 0.5, "seed": 0},
        "validation": {"sha256_of_names": people.subset(held).digest()},
        SEEN: fingerprints(people),
    }
    bundle = recogniser.bundle
    write_description(bundle.folder, bundle.info.model_copy(update={"training": training}))
    return load_recogniser(bundle.folder, "onnxruntime-cpu", threads=1)
