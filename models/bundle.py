"""A bundle: a folder with one copy of the weights (``classifier.onnx``) and what they mean (``bundle.yaml``).

Where the weights give embeddings, the people are in ``gallery.npz`` and others, to compare with, in ``cohort.npz``.
Loading verifies a checksum of each file, limits their sizes, parses YAML safely and unpickles nothing, so a
bundle from a stranger can be opened.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from models.arrays import Floats
from models.bundle_info import (
    CLASSIFIER,
    COHORT,
    DESCRIPTION,
    GALLERY,
    BundleInfo,
    DefenceInfo,
    EmbeddingInfo,
    PolicyInfo,
    TrunkInfo,
    bundles_folder,
    embedded_bundles,
    find_bundle,
    read_description,
    write_description,
)
from models.crop.zones import cover_of
from models.errors import BadInput
from models.files import read_regular, whole_file
from models.gallery.cohort import decode_cohort, encode_cohort
from models.gallery.file import decode, encode, read_file
from models.gallery.gallery import Gallery
from models.graphs.builder import read_weights
from models.graphs.classifier import check_classifier

if TYPE_CHECKING:
    from models.network.vgg16 import VGG16

__all__ = [
    "Bundle",
    "BundleInfo",
    "DefenceInfo",
    "EmbeddingInfo",
    "PolicyInfo",
    "TrunkInfo",
    "bundles_folder",
    "find_bundle",
    "load_bundle",
    "write_bundle",
    "write_description",
    "write_people",
]

TRUNK = "trunk.txt"
_MAX_CLASSIFIER_BYTES = 256 << 20
_MAX_PEOPLE_BYTES = 64 << 20


class Bundle:
    """A bundle on disk whose files have been verified.

    Attributes:
        gallery: the people that faces are compared with; None in a closed set.
        cohort: (1 + V, C, D) other people's embeddings, whole and with each view's zone hidden; None in a closed set.
    """

    def __init__(
        self, folder: Path, info: BundleInfo, *, gallery: Gallery | None = None, cohort: Floats | None = None
    ) -> None:
        self.folder = folder
        self.info = info
        if info.embedding is not None:
            views = info.embedding.views
            gallery = gallery or Gallery((), self.checksum, self.cover, views)
            cohort = np.zeros((1 + len(views), 0, info.embedding.width), np.float32) if cohort is None else cohort
        self.gallery = gallery
        self.cohort = cohort

    @property
    def classifier_path(self) -> Path:
        return self.folder / CLASSIFIER

    @property
    def checksum(self) -> str:
        """SHA-256 of the weights: the key of everything derived from them, and a gallery's ``trunk``."""
        return self.info.sha256[CLASSIFIER]

    @property
    def cover(self) -> str:
        """A gallery's ``cover``: names what its views hide, pixel by pixel."""
        views = () if self.info.embedding is None else self.info.embedding.views
        return cover_of(views, self.info.input_size)

    @property
    def labels(self) -> tuple[str, ...]:
        """Whom it knows."""
        return self.info.labels if self.gallery is None else self.gallery.labels

    @property
    def accepted_engines(self) -> list[str]:
        """The engines in 8 bits or half precision of which the bundle holds a measurement that this costs nothing."""
        record = self.info.calibration.get("int8")
        found = record.get("accepted") if isinstance(record, dict) else None
        return [str(name) for name in found] if isinstance(found, list) else []

    def check_gallery(self, gallery: Gallery, where: str = "gallery") -> None:
        """Whether these people can be known by this bundle.

        Raises:
            BadInput: they were enrolled with another trunk, or with other views; or the bundle knows a closed set.
        """
        if self.info.embedding is None:
            raise BadInput(f"{where}: bundle {self.info.name} knows a closed set of people, to which none can be added")
        if gallery.trunk != self.checksum:
            raise BadInput(
                f"{where}: was made with another trunk ({gallery.trunk[:12]}) than that of bundle {self.info.name}"
                f" ({self.checksum[:12]}); add its people again from their pictures, or take the bundle that it is of"
            )
        if gallery.cover != self.cover or gallery.views != self.info.embedding.views:
            raise BadInput(
                f"{where}: was made for other views ({', '.join(gallery.views) or 'none'}) than those of bundle"
                f" {self.info.name} ({', '.join(self.info.embedding.views) or 'none'}); add its people again from their"
                " pictures"
            )

    def torch_model(self) -> VGG16:
        """The network with the weights of ``classifier.onnx``, in evaluation mode, without gradients on weights.

        Raises:
            BadInput: a head larger than torch is given here.
        """
        from models.graphs.export import load_weights  # torch takes seconds to import: only who needs it pays
        from models.network.vgg16 import VGG16

        try:
            model = VGG16(**self.info.network, spec=self.info.trunk.spec)
        except ValueError as error:
            raise BadInput(f"bundle {self.folder}: {error}") from error
        load_weights(model, read_weights(onnx.load(str(self.classifier_path), load_external_data=False)))
        return model.eval().requires_grad_(False)


def load_bundle(bundle: str | Path | None = None) -> Bundle:
    """Find, verify and read a bundle.

    Args:
        bundle: see ``find_bundle``; or a file of people (a gallery), or a folder with a ``gallery.npz`` and no
            ``bundle.yaml``. Such people run on the trunk they were enrolled with: that of an embedded bundle, or of
            the one that ``trunk.txt`` beside the file names (its name, or its folder from there).

    Raises:
        BadInput: a file is missing, too large, unreadable or has another checksum, or the graph is not the one
            that is described; names the file.
    """
    path = find_bundle(bundle)
    if path.is_dir() and (path / GALLERY).is_file() and not (path / DESCRIPTION).exists():
        path = path / GALLERY
    if path.is_dir():
        return _load(path, read_description(path))
    people = decode(read_file(path), path)
    base = _trunk_of(people, path)
    base.check_gallery(people, str(path))
    return Bundle(base.folder, base.info, gallery=people, cohort=base.cohort)


def _trunk_of(people: Gallery, path: Path) -> Bundle:
    """The bundle on which these people are known."""
    note = path.with_name(TRUNK)
    if note.is_file():
        named = read_regular(note, 4096).decode(errors="replace").strip()
        return load_bundle(named if (bundles_folder() / named).is_dir() else path.parent / named)
    found = [(folder, read_description(folder)) for folder in embedded_bundles()]
    for folder, info in found:
        if info.sha256.get(CLASSIFIER) == people.trunk:
            return _load(folder, info)
    raise BadInput(
        f"{path}: its people were enrolled with a trunk ({people.trunk[:12]}) that is not here; add them again from"
        f" their pictures, or name the folder of the bundle they were enrolled with in {note}"
    )


def _load(folder: Path, info: BundleInfo) -> Bundle:
    weights = _verified(folder, info, CLASSIFIER, _MAX_CLASSIFIER_BYTES)
    try:
        proto = onnx.ModelProto.FromString(weights)
    except Exception as error:  # protobuf's own kinds
        raise BadInput(f"bundle {folder}: {CLASSIFIER} is no ONNX graph") from error
    try:
        check_classifier(proto, **info.network, spec=info.trunk.spec)
    except (BadInput, ValueError) as error:  # numpy's, of tensors that are not whole
        raise BadInput(f"bundle {folder}: {CLASSIFIER} does not fit {DESCRIPTION}: {error}") from error
    people = cohort = None
    if GALLERY in info.sha256:
        people = decode(_verified(folder, info, GALLERY, _MAX_PEOPLE_BYTES), folder / GALLERY)
    if COHORT in info.sha256:
        cohort = _read_cohort(folder, info)
    bundle = Bundle(folder, info, gallery=people, cohort=cohort)
    if people is not None:
        bundle.check_gallery(people, f"bundle {folder}: {GALLERY}")
    return bundle


def _read_cohort(folder: Path, info: BundleInfo) -> Floats:
    try:
        cohort = decode_cohort(_verified(folder, info, COHORT, _MAX_PEOPLE_BYTES))
    except ValueError as error:
        raise BadInput(f"bundle {folder}: {COHORT} {error}") from error
    embedding = info.embedding
    if embedding is None or (cohort.shape[0], cohort.shape[2]) != (1 + len(embedding.views), embedding.width):
        raise BadInput(f"bundle {folder}: {COHORT} is of other views or another width than {DESCRIPTION} says")
    return cohort


def _verified(folder: Path, info: BundleInfo, name: str, limit: int) -> bytes:
    content = read_regular(folder / name, limit)
    if hashlib.sha256(content).hexdigest() != info.sha256[name]:
        raise BadInput(f"bundle {folder}: {name} was changed or damaged (its SHA-256 differs)")
    return content


def write_bundle(folder: Path, model: VGG16, info: BundleInfo) -> Bundle:
    """Export ``model`` and write the folder; ``info.sha256`` is filled in. Replaces a bundle of the same name.

    A bundle with an embedding knows nobody yet: ``write_people``.

    Raises:
        BadInput: the exported graph differs from torch, or the folder cannot be written; an earlier bundle stays.
    """
    from models.graphs.export import export_classifier

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
            new = Path(name)
            export_classifier(model, new / CLASSIFIER)
            digest = hashlib.sha256((new / CLASSIFIER).read_bytes()).hexdigest()
            written = info.model_copy(update={"sha256": {CLASSIFIER: digest}})
            write_description(new, written)
            for file in (CLASSIFIER, DESCRIPTION):
                os.replace(new / file, folder / file)
        return Bundle(folder, written)
    except OSError as error:
        raise BadInput(f"bundle {folder}: cannot be written ({error.strerror})") from error


def write_people(bundle: Bundle, gallery: Gallery, cohort: Floats, info: BundleInfo | None = None) -> Bundle:
    """Write the people whom a bundle comes with, and its cohort (1 + V, C, D), into its folder.

    ``info``: a new description of the same network, with how the people were found; checksums are filled in.

    Raises:
        BadInput: the gallery was made with another trunk or cover, or the folder cannot be written.
    """
    bundle.check_gallery(gallery)
    sums = dict(bundle.info.sha256)
    try:
        for name, content in ((GALLERY, encode(gallery)), (COHORT, encode_cohort(cohort))):
            with whole_file(bundle.folder / name) as stream:
                stream.write(content)
            sums[name] = hashlib.sha256(content).hexdigest()
        write_description(bundle.folder, (info or bundle.info).model_copy(update={"sha256": sums}))
    except OSError as error:
        raise BadInput(f"bundle {bundle.folder}: cannot be written ({error.strerror})") from error
    return load_bundle(bundle.folder)
