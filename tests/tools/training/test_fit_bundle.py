from pathlib import Path

import numpy as np
import pytest

from models.errors import BadInput
from models.training.stages import RecipeSettings
from tools.faces.people import People
from tools.training.fit_bundle import Job, fit_model, transfer


def people(*names: str) -> People:
    count = len(names)
    crops = np.zeros((count, 40, 40, 3), dtype=np.uint8)
    return People(names, crops, np.arange(count, dtype=np.int64), tuple(f"{name}/0.png" for name in names))


def job(folder: Path, strangers: People) -> Job:
    """One that is refused before its trunk is looked for."""
    return Job(folder / "none.npz", folder / "work", RecipeSettings(), strangers=strangers)


def test_somebody_enrolled_is_refused_as_a_stranger(tmp_path: Path) -> None:
    others = people("Rosa Parks", "grace HOPPER")
    with pytest.raises(BadInput, match=r"--strangers: grace HOPPER: no stranger, .*; take the folder out of one"):
        fit_model(people("Ada Lovelace", "Grace Hopper"), job(tmp_path, others))


@pytest.mark.parametrize("seed", range(4))  # whoever is drawn to be left out
def test_transfer_trains_on_none_of_its_people_as_a_stranger(tmp_path: Path, seed: int) -> None:
    everybody = people("Ada Lovelace", "Grace Hopper", "Mary Jackson")
    with pytest.raises(BadInput, match="Mary Jackson: no stranger"):
        transfer(everybody, job(tmp_path, people("Mary Jackson")), known=2, seed=seed)


def test_of_many_people_in_both_folders_five_are_named(tmp_path: Path) -> None:
    everybody = people(*(f"Person {number}" for number in range(9)))
    with pytest.raises(BadInput, match="Person 3, Person 4 and 4 more: no stranger"):
        fit_model(everybody, job(tmp_path, everybody))
