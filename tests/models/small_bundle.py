"""Small bundles with random weights: the real code on a net that runs in milliseconds."""

from pathlib import Path

import numpy as np
import torch

from models.bundle import Bundle, BundleInfo, DefenceInfo, EmbeddingInfo, TrunkInfo, write_bundle, write_people
from models.gallery.gallery import Gallery, Person, unit
from models.network.vgg16 import VGG16

WIDTH = 8  # numbers of an embedding


def small_network(classes: int, size: int, seed: int) -> VGG16:
    torch.manual_seed(seed)
    model = VGG16(classes=classes, input_size=size, hidden=16)
    with torch.no_grad():  # He's scale keeps the activations, and so the logits, of a useful size
        for layer in model.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
    return model


def make_small_bundle(folder: Path, *, size: int = 32, classes: int = 4, seed: int = 0) -> Bundle:
    """A closed set of people."""
    model = small_network(classes, size, seed)
    info = BundleInfo(
        name="small",
        labels=tuple(f"Person {index}" for index in range(classes)),
        input_size=size,
        hidden=16,
        trunk=TrunkInfo(source="random", mean=model.spec.mean, channel_order=model.spec.channel_order),
        defence=DefenceInfo(threshold=0.9, iterations=1, min_area=3),
    )
    return write_bundle(folder, model, info)


def make_small_gallery_bundle(
    folder: Path, *, size: int = 32, people: int = 4, seed: int = 0, temperature: float = 0.2
) -> Bundle:
    """A trunk, a gallery of people whom it has never seen, and a cohort of five others."""
    model = small_network(WIDTH, size, seed)
    info = BundleInfo(
        name="small gallery",
        input_size=size,
        hidden=16,
        embedding=EmbeddingInfo(width=WIDTH, views=("eyewear", "lower_face"), temperature=temperature),
        trunk=TrunkInfo(source="random", mean=model.spec.mean, channel_order=model.spec.channel_order),
        defence=DefenceInfo(threshold=0.9, iterations=1, min_area=3),
    )
    bundle = write_bundle(folder, model, info)
    random = np.random.default_rng(seed)
    gallery = small_gallery(bundle, [f"Person {index}" for index in range(people)], seed=seed)
    cohort = unit(random.normal(size=(3, 5, WIDTH)))
    return write_people(bundle, gallery, cohort)


def small_gallery(bundle: Bundle, names: list[str], *, seed: int = 0) -> Gallery:
    """People with two random embeddings each."""
    assert bundle.info.embedding is not None
    views = bundle.info.embedding.views
    random = np.random.default_rng(seed)
    people = [
        Person.of(name, unit(random.normal(size=(2, 1 + len(views), bundle.info.width))), (f"{name} 1", f"{name} 2"))
        for name in names
    ]
    return Gallery(tuple(people), bundle.checksum, bundle.cover, views)
