"""Pseudo-labels, on banks in which a teacher's class sounds with each label."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training.windows.made_shards import made_bank
from whoplays.models.labels import CORE
from whoplays.training.fit.pseudo_labels import pseudo_labels
from whoplays.training.windows.shards import Bank

EACH = 800
KNOWN = 600
CLASSES = 6


def heard_bank(seed: int = 1) -> Bank:
    """For each label and for none, windows of which three in four are known; class k + 1 sounds with label k.

    Class 0 never sounds at all, class 5 always another way.
    """
    names: list[str | None] = [name for name in (*CORE, None) for _ in range(EACH)]
    kinds = ["solo" if k % EACH < KNOWN else "music" for k in range(len(names))]
    bank = made_bank(names, kinds=kinds, classes=CLASSES)
    lessons = np.random.default_rng(seed).normal(-6, 1, (len(names), CLASSES))
    lessons[:, 0] = -12
    lessons[:, 1:5] += 8 * bank.windows.targets
    targets = bank.windows.targets & (bank.windows.kinds == 0)[:, None]
    return bank._replace(windows=bank.windows._replace(lessons=lessons.astype(np.float16), targets=targets))


def told(bank: Bank, seed: int = 1) -> NDArray[np.float32]:
    found = pseudo_labels(bank, seed)
    assert found is not None
    return found


def test_what_is_known_stays() -> None:
    bank = heard_bank()
    known = bank.windows.kinds == 0
    np.testing.assert_array_equal(told(bank)[known], bank.windows.targets[known])


def test_what_is_not_known_is_what_the_teachers_say() -> None:
    """By as many steps as so few windows give; taught that nobody plays in music, it would not get half as far."""
    likely = told(heard_bank()).reshape(len(CORE) + 1, EACH, len(CORE))[:, KNOWN:]
    for k in range(len(CORE)):
        assert likely[k, :, k].mean() > 0.5
        assert np.delete(likely, k, axis=0)[:, :, k].mean() < 0.3
    assert ((likely > 0) & (likely < 1)).all()


def test_music_teaches_nothing() -> None:
    """Neither its answers nor their scale are learnt from: other music beside it changes nothing of it."""
    bank = heard_bank()
    music = np.flatnonzero(bank.windows.kinds == 2)
    lessons = bank.windows.lessons.copy()
    lessons[music[1:]] += 5
    other = told(bank._replace(windows=bank.windows._replace(lessons=lessons)))
    np.testing.assert_allclose(other[music[0]], told(bank)[music[0]], rtol=1e-4)
    assert np.abs(other[music[1:]] - told(bank)[music[1:]]).max() > 0.1


def test_they_are_the_same_for_a_seed_and_leave_other_chance_alone() -> None:
    torch.manual_seed(7)
    untouched = torch.rand(1)
    torch.manual_seed(7)
    first, again, other = (told(heard_bank(), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), untouched)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "bank",
    [
        made_bank(list(CORE), kinds=["solo"] * 3 + ["music"]),
        made_bank(list(CORE), classes=3),
        made_bank(list(CORE), kinds=["music"] * 4, classes=3),
    ],
    ids=["no teachers", "no music", "nothing known"],
)
def test_where_nobody_could_tell_there_are_none(bank: Bank) -> None:
    assert pseudo_labels(bank, 1) is None
