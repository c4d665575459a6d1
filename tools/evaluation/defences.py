"""The defences of the evaluation: the method in its variants, the baselines, and no defence at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from models.arrays import Bools, Bytes, Floats
from models.crop.zones import outlines_of
from models.errors import refuse_unknown
from models.evidence import CropEvidence, Evidence
from models.network.vgg16 import VGG16
from models.policy import Decision, Policy, decide, decide_undefended
from models.recogniser import Recogniser
from models.saliency_mask import MaskParameters, apply_mask, saliency_to_mask
from tools.attacks.edge_mask import sobel_map, strongest
from tools.crafting.attacked_faces import with_parameters
from tools.evaluation.band import band_mask, band_scores, hidden_band
from tools.evaluation.baselines import entropy_map, gradient_map, moved_masks

NONE, PUBLISHED, TUNED, BAND, EDGES = "none", "published", "tuned", "band", "sobel"
HARDENED, ZONES = "hardened", "zones"
NAMES = (NONE, PUBLISHED, TUNED, "random", EDGES, "entropy", "gradient", "fill", BAND, HARDENED, ZONES)
TUNED_BY = "tools.tune_defence"


@dataclass(frozen=True)
class Defence:
    """One defence: crops (N, S, S, 3) -> evidence, evidence and policy -> decision.

    ``settings`` is everything that the answers depend on beside the bundle; ``parameters`` the saliency
    mask's, where an adaptive attacker has to know them; ``policy`` is the defence's own, None: the undefended
    bundle's; ``zones`` those of its evidence's views; ``live`` what is timed, None: ``answer``.
    """

    name: str
    title: str
    settings: Mapping[str, object]
    answer: Callable[[Bytes], Evidence]
    decide: Callable[[CropEvidence, Policy], Decision] = decide
    parameters: MaskParameters | None = None
    policy: Policy | None = None
    zones: tuple[str, ...] = ()
    live: Callable[[Bytes], Evidence] | None = None


def is_tuned(recogniser: Recogniser) -> bool:
    """Whether the bundle's parameters come from ``tools.tune_defence``."""
    return str(recogniser.bundle.info.defence.record.get("source", "")).startswith(TUNED_BY)


def make_defences(
    recogniser: Recogniser,
    names: Sequence[str],
    *,
    band_model: VGG16 | None,
    seed: int,
    hardened: Recogniser | None = None,
) -> list[Defence]:
    """The defences by name, in the order of ``NAMES``; baselines use the tuned parameters where there are any.

    ``tuned`` is left out where the bundle was not tuned, ``band`` where no head was trained for it,
    ``hardened`` and ``zones`` where no bundle with zones is given; where that is ``recogniser`` itself, ``zones`` is
    the defence that it has live, and ``hardened`` is left out.

    Raises:
        BadInput: an unknown name.
    """
    refuse_unknown("--defence", *names, known=NAMES)
    published = MaskParameters.published(recogniser.input_size)
    used = recogniser.bundle.info.defence.parameters if is_tuned(recogniser) else published
    defences: dict[str, Defence] = {
        NONE: Defence(NONE, "no defence", {}, lambda crops: _undefended(recogniser, crops), decide_undefended),
        PUBLISHED: _saliency_mask(recogniser, PUBLISHED, "saliency mask, published parameters scaled", published),
    }
    if is_tuned(recogniser):
        defences[TUNED] = _saliency_mask(recogniser, TUNED, "saliency mask, tuned", used)
    defences["random"] = Defence(
        "random",
        "random mask of equal area",
        {"parameters": asdict(used), "seed": seed},
        lambda crops: _moved(recogniser, used, crops, seed),
    )
    model = recogniser.torch_model()
    maps: dict[str, tuple[str, Callable[[Bytes], Floats]]] = {
        EDGES: ("Sobel mask", sobel_map),
        "entropy": ("local entropy mask", entropy_map),
        "gradient": ("plain gradient mask", lambda crops: gradient_map(model, crops)),
    }
    for name, (title, map_of) in maps.items():
        settings = {"parameters": asdict(used), "pixels": "as many as the saliency has"}
        known = used if name == EDGES else None
        defences[name] = Defence(name, title, settings, _mapped(recogniser, used, map_of), parameters=known)
    other = replace(used, fill="mean" if used.fill == "inpaint" else "inpaint")
    title = "inpainted fill" if other.fill == "inpaint" else "mean fill instead of inpainting"
    defences["fill"] = _saliency_mask(recogniser, "fill", title, other)
    if band_model is not None:
        defences[BAND] = Defence(
            BAND,
            "eye band hidden, head trained for it (torch)",
            {"head": _digest(band_model)},
            _band(recogniser, band_model),
        )
    if hardened is not None:
        key = {"bundle": hardened.bundle.checksum}
        if hardened is not recogniser:  # of the bundle itself this is the row without defence
            defences[HARDENED] = Defence(
                HARDENED,
                "recogniser trained on hidden zones, no defence",
                key,
                lambda crops: _undefended(hardened, crops),
                decide_undefended,
                policy=hardened.policy,
            )
        defences[ZONES] = Defence(
            ZONES,
            "zone views, calibrated policy",
            key
            | {
                "zones": hardened.zones,
                "outlines": outlines_of(hardened.zones, hardened.input_size),
                "policy": asdict(hardened.policy),
                "parameters": asdict(hardened.mask_parameters),
            },
            hardened.defend,  # the same decisions as live, and the final name wherever the views differ
            policy=hardened.policy,
            zones=hardened.zones,
            live=lambda crops: hardened.defend(crops, quick=True),
        )
    return [defences[name] for name in NAMES if name in names and name in defences]


def _digest(model: VGG16) -> str:
    """Names a head by its weights."""
    digest = hashlib.sha256()
    for values in model.head.state_dict().values():
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()[:16]


def _saliency_mask(recogniser: Recogniser, name: str, title: str, parameters: MaskParameters) -> Defence:
    def answer(crops: Bytes) -> Evidence:
        with with_parameters(recogniser, parameters):
            return recogniser.defend(crops)

    return Defence(name, title, {"parameters": asdict(parameters)}, answer, parameters=parameters)


def _undefended(recogniser: Recogniser, crops: Bytes) -> Evidence:
    raw = recogniser.classify(crops)
    nothing = np.zeros(crops.shape[:3], np.bool_)
    return _evidence(recogniser, raw, nothing.astype(np.float32), nothing, crops, raw)


def _moved(recogniser: Recogniser, parameters: MaskParameters, crops: Bytes, seed: int) -> Evidence:
    with with_parameters(recogniser, parameters):
        found = recogniser.defend(crops)
    mask = moved_masks(crops, found.mask, seed)
    return _masked(recogniser, crops, found.saliency, mask, parameters)


def _mapped(
    recogniser: Recogniser, parameters: MaskParameters, map_of: Callable[[Bytes], Floats]
) -> Callable[[Bytes], Evidence]:
    nothing = replace(parameters, min_area=recogniser.input_size**2 + 1)  # only the saliency is wanted

    def answer(crops: Bytes) -> Evidence:
        with with_parameters(recogniser, nothing):
            guided = recogniser.defend(crops).saliency
        counts = (guided >= parameters.threshold).sum(axis=(1, 2)).tolist()
        dense = strongest(map_of(crops), counts)
        return _masked(recogniser, crops, dense, saliency_to_mask(dense, parameters), parameters)

    return answer


def _band(recogniser: Recogniser, model: VGG16) -> Callable[[Bytes], Evidence]:
    band = band_mask(recogniser.input_size)

    def answer(crops: Bytes) -> Evidence:
        hidden = hidden_band(crops, recogniser.fill_rgb)
        mask = np.broadcast_to(band, crops.shape[:3]).copy()
        scores = band_scores(model, hidden)
        return _evidence(recogniser, recogniser.classify(crops), mask.astype(np.float32), mask, hidden, scores)

    return answer


def _masked(
    recogniser: Recogniser, crops: Bytes, saliency: Floats, mask: Bools, parameters: MaskParameters
) -> Evidence:
    hidden = apply_mask(crops, mask, recogniser.fill_rgb, parameters.fill)
    scores = recogniser.classify(np.concatenate([crops, hidden]))
    return _evidence(recogniser, scores[: len(crops)], saliency, mask, hidden, scores[len(crops) :])


def _evidence(
    recogniser: Recogniser, raw: Floats, saliency: Floats, mask: Bools, masked: Bytes, defended: Floats
) -> Evidence:
    views = np.zeros((len(raw), 0, len(recogniser.labels)), np.float32)
    return Evidence(recogniser.labels, raw, saliency, mask, masked, defended, views)
