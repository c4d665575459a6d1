"""The tables of an evaluation, from its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

from tools.attacks.registry import OBLIVIOUS
from tools.common.report import Proportion
from tools.evaluation.defences import NONE, PUBLISHED, TUNED, Defence
from tools.evaluation.figures import Attacked, Certificates, DoubleMasking, Figures, WorstCase, ZoneCertificate
from tools.evaluation.published import GOODNESS
from tools.evaluation.published import PUBLISHED as ARTICLE
from tools.evaluation.table import Figure, Table, goodness_shown, shown, shown_of

QuietKind = Literal["clean", "innocent", "wearers", "innocent_photographs"]


def tables_of(figures: Figures, defences: Sequence[Defence], threshold: float) -> list[Table]:
    """All tables of an evaluation."""
    tables = [_against_the_article(figures, threshold)] if OBLIVIOUS in figures["attacks"] else []
    tables.append(_clean(figures, defences, threshold))
    for name, attack in figures["attacks"].items():
        if attack["against"] is None:
            tables += [_attack(name, attack, figures, defences, threshold), _states(name, attack, defences)]
            tables.append(_masks(name, attack, defences))
    adaptive = {name: attack for name, attack in figures["attacks"].items() if attack["against"] is not None}
    if adaptive:
        tables.append(_adaptive(adaptive, threshold))
    if figures["worst_case"]:
        tables.append(_worst(figures["worst_case"]))
    tables.append(_policies(figures, defences))
    if "certificates" in figures:
        tables.append(_certificates(figures["certificates"]))
    if "double_masking" in figures:
        tables.append(_double_masking(figures["double_masking"]))
    return tables


def _policies(figures: Figures, defences: Sequence[Defence]) -> Table:
    keys = ("known_true", "suspected_attack", "unknown")
    groups: tuple[QuietKind, ...] = ("clean", "innocent", "wearers", "innocent_photographs")
    kinds = [kind for kind in groups if kind in figures]
    table = []
    for defence in defences:
        cells = [cell for kind in kinds for cell in shown_of(figures[kind][defence.name]["states"], keys)]
        if "strangers" in figures:
            cells += shown_of(figures["strangers"][defence.name]["states"], ("known_other", *keys[1:]))
        table.append([defence.title, *cells])
    columns = ["defence"]
    words = ("Known(true)", "alarm", "Unknown")
    columns += [f"{kind.replace('_', ', ')}: {word}" for kind in kinds for word in words]
    columns += [f"strangers: {word}" for word in ("Known(anybody)", "alarm", "Unknown") if "strangers" in figures]
    note = (
        "Faces that nobody attacked: as they are, with plain glasses drawn on, and (wearers) those of people who really"
        " wear glasses in the picture; accuracy counts only the right name."
    )
    lost = figures.get("innocent_photographs_without_a_face")
    if lost is not None:
        note += (
            " Photographs: the glasses are worn on the whole picture and the face is found and cut anew; no face was"
            f" found on {shown(lost)}, which are not counted."
        )
    if "strangers" in figures:
        note += " Strangers: people whom no head was shown as somebody not to be named (the trunk may have been)."
    return Table("Verdicts without an attack", note, columns, table)


def _certificates(found: Certificates) -> Table:
    groups: list[tuple[str, Certificates]] = [("", found)]
    if "strangers" in found:
        groups.append((" by strangers", found["strangers"]))
    kinds: list[tuple[str, str, ZoneCertificate]] = [
        (f"no impersonation{who}", "no_impersonation", of) for who, of in groups
    ]
    kinds.append(("identity", "identity", found))
    for who, of in groups:
        kinds += [(f"{one['zone']}: no impersonation{who}", "no_impersonation", one) for one in of["further"]]
    table = [
        [title, *shown_of(of, [key]), *(cell for one in of["jitters"].values() for cell in shown_of(one, [key]))]
        for title, key, of in kinds
    ]
    table.append(["final name", shown(found["last_word"]), *("" for _ in found["jitters"])])
    reach = "; ".join(
        f"{name}: {one['shift of 224']:.1f} pixels of 224, {one['degrees']:g} degrees, {100 * one['scale']:.0f} %"
        for name, one in found["jitters"].items()
    )
    further = "".join(f", {one['zone']} {one['confirm']:g}" for one in found["further"])
    note = (
        f"Whatever pixels inside the {found['zone']} zone (or the one named) show. No impersonation: its view gives"
        f" nobody but the true person {found['confirm']:g}{further}. Identity: it gives the true person"
        f" {found['zone_threshold']:g}. Final name: it gives nobody else so much that the raw view's word would stand."
        f" Worst over the crop as it is and its similarities to each extreme at once (shift, turn, size), on a sample:"
        f" {reach}."
    )
    return Table(
        "Certificates", note, ["certificate", "given the crop", *(f"worst: {n}" for n in found["jitters"])], table
    )


def _double_masking(found: DoubleMasking) -> Table:
    columns = ["clean accuracy", "certified", "accuracy under the patch", "targeted success", "forwards per face"]
    keys = ("clean_accuracy", "certified", "attacked_accuracy", "targeted_success")
    row = [*shown_of(found, keys), str(found["forwards_per_face"])]
    note = (
        f"{found['masks']} masks over every place of a patch of {found['patch']} pixels; certified: right under every"
        " two of them, so right whatever such a patch shows anywhere, given the crop (Xiang et al. 2022)."
    )
    return Table("Double masking, on a sample", note, columns, [row])


def _against_the_article(figures: Figures, threshold: float) -> Table:
    main = figures["attacks"][OBLIVIOUS]["rows"]
    ours = [name for name in (NONE, PUBLISHED, TUNED) if name in main]
    metrics: list[tuple[str, str, Callable[[str], Proportion | None]]] = [
        ("attack success", "attack success", lambda name: main[name]["targeted_success"]),
        ("adversarial accuracy", "adversarial accuracy", lambda name: main[name]["accuracy"]),
        ("clean accuracy", "clean accuracy", lambda name: figures["clean"][name]["accuracy"]),
        ("defence success (of all)", "defence success (target before, true after), of all attacked",
         lambda name: main[name]["defence_success_of_all"]),
        ("", "defence success, of those that had fooled the undefended bundle",
         lambda name: main[name]["defence_success_of_fooled"]),
        ("adversarial accuracy at 0.8", f"adversarial accuracy at confidence {threshold:g}",
         lambda name: main[name]["accuracy_at_threshold"]),
        ("clean accuracy at 0.8", f"clean accuracy at confidence {threshold:g}",
         lambda name: figures["clean"][name]["accuracy_at_threshold"]),
        ("attack success at 0.8", f"attack success at confidence {threshold:g}",
         lambda name: main[name]["targeted_success_at_threshold"]),
        ("defence success at 0.8 (of those that fooled)",
         f"defence success at confidence {threshold:g}, of those that had fooled it so confidently",
         lambda name: main[name]["defence_success_of_fooled_at_threshold"]),
    ]  # fmt: skip
    table = []
    for key, words, figure in metrics:
        before, after = ARTICLE.get(key, (None, None))
        cells = ["" if name == NONE and "defence" in words else shown(figure(name)) for name in ours]
        table.append([words, shown(before), shown(after), *cells])
    table.append(["goodness", "", f"{GOODNESS}", *(goodness_shown(main[name]) for name in ours)])
    return Table(
        "Beside the published table",
        "Oblivious attacker (Sharif et al. 2016). The article's counts are inferred from its percentages (n = 60);"
        " brackets are 95 % Wilson intervals; its people, images and recogniser are not ours.",
        ["", "article, before", "article, after", *(f"ours, {name}" for name in ours)],
        table,
    )


def _clean(figures: Figures, defences: Sequence[Defence], threshold: float) -> Table:
    table = []
    for defence in defences:
        clean, innocent = figures["clean"][defence.name], figures["innocent"][defence.name]
        cells: list[Figure] = [clean["accuracy"], clean["accuracy_at_threshold"], clean["abstained_at_threshold"]]
        cells += [clean["states"]["suspected_attack"], innocent["accuracy"]]
        cells += [innocent["accuracy_at_threshold"], innocent["states"]["suspected_attack"], clean["masked"]]
        table.append([defence.title, *map(shown, cells), f"{figures['milliseconds'][defence.name]:.1f}"])
    at = f"at {threshold:g}"
    columns = ["defence", "clean accuracy", f"right {at}", f"abstained {at}", "clean taken for an attack"]
    columns += ["accuracy with innocent glasses", f"right {at}", "innocent glasses taken for an attack"]
    columns += ["share masked (clean)", "ms per face"]
    note = (
        "Faces that nobody attacks; innocent glasses are plain ones of random shape and colour, drawn on the same."
        " The masks of random, Sobel, entropy and plain gradient take the guided saliency's number of pixels, so that"
        " their milliseconds include it."
    )
    return Table("Clean faces and innocent glasses", note, columns, table)


def _attack(name: str, attack: Attacked, figures: Figures, defences: Sequence[Defence], threshold: float) -> Table:
    keys = ["accuracy", "targeted_success", "untargeted_success"]
    keys += ["defence_success_of_all", "defence_success_of_fooled"]
    late = [f"{key}_at_threshold" for key in ("accuracy", "targeted_success", "untargeted_success", "abstained")]
    late.append("defence_success_of_fooled_at_threshold")
    table = []
    for defence in defences:
        measured = attack["rows"][defence.name]
        every = zip((*keys, *late), shown_of(measured, (*keys, *late)), strict=True)
        cells = ["" if defence.name == NONE and "defence" in key else cell for key, cell in every]
        table.append([defence.title, *cells, goodness_shown(measured)])
    at = f"at {threshold:g}"
    columns = ["defence", "adversarial accuracy", "targeted success", "untargeted success"]
    columns += ["defence success, of all", "defence success, of those fooled before", f"accuracy {at}"]
    columns += [f"targeted success {at}", f"untargeted success {at}", f"abstained {at}"]
    columns += [f"defence success {at}, of those fooled before at {threshold:g}", "goodness"]
    settings = attack["settings"]
    note = (
        f"{attack['n']} attacked faces, {settings['shape']} glasses, at most {settings['steps']} steps, seed"
        f" {settings['seed']}; crafted on the undefended bundle, counted on PNGs read back. Defence success: the"
        " undefended bundle names the target (a dodge: anybody else), the defended one the true person."
    )
    return Table(f"Oblivious attack: {name}", note, columns, table)


def _states(name: str, attack: Attacked, defences: Sequence[Defence]) -> Table:
    keys = ["known_true", "known_other", "known_target", "suspected_attack", "likely_true", "likely_other"]
    keys += ["right_name_told", "unknown", "no_face_found"]
    table = [[one.title, *shown_of(attack["rows"][one.name]["states"], keys)] for one in defences]
    columns = ["defence", "Known(true)", "Known(other)", "of these Known(target)", "SuspectedAttack"]
    columns += ["of these likely = true", "likely = other", "right name told", "Unknown", "no face found"]
    note = (
        f"What the policy says of the {attack['n']} attacked faces;"
        " Known, SuspectedAttack, Unknown and no face found add up to all of them."
    )
    if "without_a_face" in attack:
        note += (
            " The glasses are worn on the whole photograph and the face is found and cut anew; no face was found on"
            f" {shown(attack['without_a_face'])}, which are not among them."
        )
    if "no_face_found" in attack:
        note += (
            f" Looking at the attacked crops alone, a detector finds no face on {shown(attack['no_face_found'])};"
            " only of those who dodge are these taken out of the other verdicts."
        )
    return Table(f"Verdicts under {name}", note, columns, table)


def _masks(name: str, attack: Attacked, defences: Sequence[Defence]) -> Table:
    keys = ["recall", "precision", "iou", "masked"]
    masked = [one for one in defences if one.name != NONE]
    table = [[one.title, *shown_of(attack["rows"][one.name]["mask"], keys)] for one in masked]
    columns = ["defence", "frame hidden (recall)", "mask on frame (precision)", "IoU", "share masked"]
    return Table(
        f"Masks under {name}", "Means over the faces with 95 % intervals; precision of non-empty masks.", columns, table
    )


def _adaptive(attacks: Mapping[str, Attacked], threshold: float) -> Table:
    columns = ["attack", "pairs x steps", "targeted success", f"at {threshold:g}", f"abstained at {threshold:g}"]
    columns += ["Known(target) by the policy", "adversarial accuracy", "defence success, of those that had fooled it"]
    columns += ["goodness", "remark"]
    keys = ["targeted_success", "targeted_success_at_threshold", "abstained_at_threshold", "known_target"]
    keys += ["accuracy", "defence_success_of_fooled"]
    table = []
    for name, attack in attacks.items():
        state, begin = attack["status"], [name, f"{attack['n']} x {attack['settings']['steps']}"]
        if not state["shown"]:
            weaker = state["at_least_as_good_as_A0"] is False
            remark = "unfinished: " + ("weaker than the oblivious attack" if weaker else "no loss curve")
            table.append([*begin, *[""] * (len(keys) + 1), remark])
            continue
        against = attack["against"]
        assert against is not None
        measured = attack["rows"][against]
        curve = state["loss_curve"]
        fell = f"loss {curve[0]:.2f} to {curve[-1]:.2f}" if len(curve) > 1 else ""
        remark = "breaks at least 90 %" if state["breaks_the_row"] else fell
        if state["at_least_as_good_as_A0"] is None:
            remark += "; not compared with the oblivious attack, which was not run"
        cells = shown_of({**measured, **measured["states"]}, keys)
        table.append([*begin, *cells, goodness_shown(measured), remark])
    note = (
        "The attacker knows the defence and its parameters. An attack that is weaker than the oblivious one on the"
        " same pairs, or has no loss curve on record, stays blank. A1 to A7 begin where an oblivious one of as many"
        " steps ends, which are not counted. A8 may change the whole crop: a check, no threat."
    )
    return Table("Adaptive attacks", note, columns, table)


def _worst(cases: Mapping[str, WorstCase | dict[str, Proportion]]) -> Table:
    table = []
    for name, case in cases.items():
        if "strongest" in case:
            found = cast(WorstCase, case)
            worst = [shown(found["strongest_success"]), shown(found["any_attack_success"])]
            table.append([name, found["strongest"], *worst, ", ".join(found["attacks"])])
        else:
            table += [[name, kind, shown(figure), "", kind] for kind, figure in case.items()]
    columns = ["defence", "strongest attack", "its targeted success", "pairs that fall to any of them", "attacks"]
    note = "A defence's number is its worst case: the attacker chooses the attack, at best anew for every pair."
    return Table("Worst case", note, columns, table)
