"""A bundle without a network: four people and five others who are random directions. Loads no torch."""

from pathlib import Path

import numpy as np

from models.bundle import Bundle, BundleInfo, DefenceInfo, EmbeddingInfo, TrunkInfo
from models.gallery.gallery import Gallery, Person, unit

WIDTH = 8
VIEWS = ("eyewear", "lower_face")


def made_up_bundle(*, size: int = 32) -> Bundle:
    """Cold, so that eight numbers tell people apart."""
    info = BundleInfo(
        name="made up",
        input_size=size,
        hidden=16,
        embedding=EmbeddingInfo(width=WIDTH, views=VIEWS, temperature=0.05),
        trunk=TrunkInfo(source="none", mean=(104, 117, 124), channel_order="BGR"),
        defence=DefenceInfo(threshold=0.9, iterations=1, min_area=3),
        sha256={"classifier.onnx": "1" * 64},
    )
    random = np.random.default_rng(0)
    cohort = unit(random.normal(size=(1 + len(VIEWS), 5, WIDTH)))
    empty = Bundle(Path("made-up"), info, cohort=cohort)
    people = tuple(
        Person.of(f"Person {i}", unit(random.normal(size=(2, 3, WIDTH))), (f"{i}a", f"{i}b")) for i in range(4)
    )
    return Bundle(empty.folder, info, gallery=Gallery(people, empty.checksum, empty.cover, VIEWS), cohort=cohort)
