"""The calibration of the policy over zone views keeps the rates that were stated."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer

from models.bundle import load_bundle
from models.errors import BadInput
from models.policy import Policy
from tools import tune_policy as module
from tools.crafting.attacked_faces import NOBODY
from tools.tuning.policy import Rates, Views, _lowest, by_strangers, calibrated, outcome


@pytest.fixture
def coarsely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer thresholds are tried, for what does not hang on their step."""
    for name, step in (("STEP", 0.03), ("FINE", 0.006), ("LEVEL", 0.01)):
        monkeypatch.setattr(f"tools.tuning.policy.{name}", step)


def views(seed: int, count: int, *, strangers: bool = False) -> Views:
    """Faces of five people, seen by a first zone's view that is right three times in four and by a better one."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, count)
    sharp = random.uniform(0, 6, (count, 1))
    noise = random.normal(0, 1, (count, 5))
    shown = np.eye(5)[labels] if not strangers else np.zeros((count, 5))

    def softmax(logits):
        powers = np.exp(logits)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    raw, zones = softmax(shown * (sharp + 2) + noise), [softmax(shown * (sharp + more) + noise) for more in (0, 1)]
    return Views(raw, raw, np.stack(zones, axis=1), np.full(count, NOBODY) if strangers else labels)


def test_the_calibrated_policy_keeps_the_stated_rates():
    clean, innocent, others = views(0, 400), views(1, 400), views(2, 400, strangers=True)
    rates = Rates(impersonated=0.05, misnamed=0.02, alarmed=0.03, vetoed=0.04)
    policy = calibrated(Policy(), clean, innocent, others, rates)
    figures = json.loads(json.dumps(outcome(policy, clean, innocent, others)))
    wrong = [(f.zones[:, 0] * (np.arange(5) != f.labels[:, None])).max(axis=1) for f in (clean, innocent, others)]
    assert max((one >= policy.zone_confirm).mean() for one in wrong) <= 0.05
    assert max((one >= policy.zone_confirm - 0.01).mean() for one in wrong) > 0.05  # and no lower threshold does
    assert policy.zone_dissent < policy.zone_confirm <= policy.zone_threshold
    assert policy.threshold == Policy().threshold
    assert figures["clean"]["last_word"]["right"] >= figures["clean"]["raw"]["right"] - 0.01 * 400

    def alarms(tried: Policy) -> float:
        found = outcome(tried, clean, innocent, others)
        return sum(found[kind]["alarms"]["right"] for kind in ("clean", "innocent")) / 800

    def vetoing(below: float) -> Policy:
        return replace(policy, further_confirm=below)

    alone = alarms(vetoing(0.0))
    assert alone <= 0.03
    assert alone < alarms(policy) <= alone + 0.04
    assert alarms(vetoing(policy.further_confirm + 0.01)) > alone + 0.04


def test_stricter_rates_give_higher_thresholds(coarsely: None):
    faces = views(0, 150), views(1, 150), None
    loose = calibrated(Policy(), *faces, Rates(impersonated=0.1, misnamed=0.1))
    strict = calibrated(Policy(), *faces, Rates(impersonated=0.01, misnamed=0.01))
    assert strict.zone_confirm > loose.zone_confirm
    assert strict.zone_threshold >= strict.zone_confirm


def test_near_certainty_a_threshold_is_looked_for_in_quarters_of_a_hundredth():
    scores = np.r_[np.full(970, 0.3), np.linspace(0.96, 0.9999, 30)].astype(np.float32)  # a sharp view of strangers
    found = _lowest(scores, 0.02)
    assert (scores >= found).mean() <= 0.02 < (scores >= found - 0.0025).mean()


def test_who_allows_the_final_name_no_cost_gets_a_lower_threshold_of_dissent(coarsely: None):
    faces = views(0, 150), views(1, 150), None
    free = calibrated(Policy(), *faces, Rates(alarmed=1, cost=1))
    careful = calibrated(Policy(), *faces, Rates(alarmed=1, cost=0))
    assert careful.zone_dissent < free.zone_dissent < free.zone_confirm


def test_where_strangers_decide_both_rates_are_kept_and_no_lower_threshold_keeps_them(coarsely: None):
    clean, innocent, others = views(0, 400), views(1, 400), views(2, 400, strangers=True)
    rates = Rates(impersonated=0.1, misnamed=0.05, named=0.02)
    policy = calibrated(Policy(), clean, innocent, others, rates)

    def known_strangers(tried: Policy) -> int:
        found = outcome(tried, clean, innocent, others)["strangers"]
        return found["known_rightly"]["right"] + found["known_wrongly"]["right"]

    assert known_strangers(policy) <= 0.02 * 400
    level = (others.raw.max(axis=1) < policy.threshold).mean()
    lower = float(np.quantile(others.raw.max(axis=1), level - 0.02))
    assert known_strangers(replace(policy, threshold=lower, further_confirm=0.0)) > 0.02 * 400
    for faces in (clean, others):  # by hand: somebody else gets enough, and enough more than the next
        first = faces.zones[:, 0]
        two = np.sort(first, axis=1)[:, -2:]
        passes = (two[:, 1] >= policy.zone_confirm) & (two[:, 1] >= policy.zone_lead * two[:, 0])
        assert (passes & (first.argmax(axis=1) != faces.labels)).mean() <= 0.1
    assert policy.zone_lead >= 1


def test_who_allows_more_strangers_a_name_asks_less_of_the_whole_face(coarsely: None):
    faces = views(0, 400), views(1, 400), views(2, 400, strangers=True)
    strict, loose = (by_strangers(Policy(), *faces, Rates(impersonated=0.1, named=share)) for share in (0.005, 0.1))
    assert loose.threshold < strict.threshold


def test_a_rate_that_no_policy_keeps_is_refused(coarsely: None):
    clean = views(0, 40)
    faces = replace(clean, labels=(clean.labels + 1) % 5), views(1, 40), views(2, 40, strangers=True)
    with pytest.raises(BadInput, match="--impersonated 0: no policy keeps it"):
        by_strangers(Policy(), *faces, Rates(impersonated=0, named=0.5))


def test_which_zones_are_hidden_is_chosen_and_kept(zoned: Path, people: Path, tmp_path: Path, coarsely: None):
    folder = shutil.copytree(zoned, tmp_path / "b")
    run = typer.main.get_command(module.app).main
    options = ["--bundle", str(folder), "--zone", "forehead", "--zone", "eyewear", "--aligned", "--threads", "1"]
    run([str(people), *options, "--json", str(tmp_path / "p.json")], standalone_mode=False)
    assert load_bundle(folder).info.policy.zones == ("eyewear", "forehead")
    with pytest.raises(BadInput, match="--zone 'nose'"):
        run([str(people), "--bundle", str(folder), "--zone", "nose"], standalone_mode=False)
