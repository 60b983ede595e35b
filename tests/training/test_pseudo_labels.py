"""Pseudo-labels, on banks in which a teacher's class sounds with each label."""

import numpy as np
import torch

from models.labels import CORE
from tests.training.made_bank import made_bank
from training.bank import Bank
from training.pseudo_labels import pseudo_labels

EACH = 400


def heard_bank(seed: int = 1) -> Bank:
    """300 known windows and 100 of music for each label and for none; class k + 1 sounds with label k."""
    names: list[str | None] = [name for name in (*CORE, None) for _ in range(EACH)]
    kinds = ["solo" if k % EACH < 300 else "music" for k in range(len(names))]
    bank = made_bank(names, kinds=kinds, classes=6)
    lessons = np.random.default_rng(seed).normal(-6, 1, (len(names), 6))
    lessons[:, 1:5] += 8 * bank.windows.targets
    targets = bank.windows.targets & (bank.windows.kinds == 0)[:, None]
    return bank._replace(windows=bank.windows._replace(lessons=lessons.astype(np.float16), targets=targets))


def test_what_is_known_stays() -> None:
    bank = heard_bank()
    known = bank.windows.kinds == 0
    np.testing.assert_array_equal(pseudo_labels(bank, 1)[known], bank.windows.targets[known])


def test_what_is_not_known_is_what_the_teachers_say() -> None:
    bank = heard_bank()
    likely = pseudo_labels(bank, 1).reshape(len(CORE) + 1, EACH, len(CORE))[:, 300:]
    for k in range(len(CORE)):
        assert likely[k, :, k].mean() > np.delete(likely, k, axis=0)[:, :, k].mean() + 0.2
    assert ((likely > 0) & (likely < 1)).all()


def test_they_are_the_same_for_a_seed_and_leave_other_chance_alone() -> None:
    torch.manual_seed(7)
    untouched = torch.rand(1)
    torch.manual_seed(7)
    first, again, other = (pseudo_labels(heard_bank(), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), untouched)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_teachers_or_music_there_is_nothing_to_tell() -> None:
    for bank in (made_bank(list(CORE), kinds=["solo"] * 3 + ["music"]), made_bank(list(CORE), classes=3)):
        np.testing.assert_array_equal(pseudo_labels(bank, 1), bank.windows.targets)
