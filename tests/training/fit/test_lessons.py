import numpy as np
import pytest

from tests.training.windows.made_shards import made_bank
from whoplays.models.labels import CORE
from whoplays.training.fit.lessons import lessons_of, relevance
from whoplays.training.windows.shards import Bank

EVERYONE: list[str | None] = [*CORE, None]


def with_logits(bank: Bank, *classes: np.ndarray) -> Bank:
    return bank._replace(windows=bank.windows._replace(lessons=np.stack(classes, axis=1).astype(np.float16)))


def test_lessons_have_a_mean_of_0_and_a_variance_of_1() -> None:
    rng = np.random.default_rng(0)
    bank = with_logits(made_bank(EVERYONE * 20), *(rng.normal(k, k + 1, 100) for k in range(4)))
    lessons = lessons_of(bank).of(bank.windows.lessons)
    np.testing.assert_allclose(lessons.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.square(lessons).mean(), 1, rtol=1e-3)


PLAYS = np.tile(np.arange(5.0), 200)
NOISE = np.random.default_rng(0).permutation(PLAYS)


def test_a_class_is_relevant_by_how_much_it_tells_of_who_plays() -> None:
    """The label, the label and as much noise, noise alone."""
    told, half, nothing = relevance(with_logits(made_bank(EVERYONE * 200), PLAYS, (PLAYS + NOISE) / 2, NOISE))
    assert told == pytest.approx(1)
    assert half == pytest.approx(0.5, abs=0.03)
    assert nothing < 0.02


def test_lessons_vary_by_relevance() -> None:
    """Of three classes with the same variance."""
    mixed = (PLAYS + NOISE) / np.std(PLAYS + NOISE) * np.std(PLAYS)
    bank = with_logits(made_bank(EVERYONE * 200), PLAYS, mixed, NOISE)
    variances = lessons_of(bank).of(bank.windows.lessons).var(axis=0)
    np.testing.assert_allclose(variances / variances[0], relevance(bank), rtol=0.01, atol=1e-3)


def test_few_solos_of_a_label_do_not_make_chance_relevant() -> None:
    rng = np.random.default_rng(0)
    bank = made_bank([name for name in EVERYONE[:-1] for _ in range(200)] + [None] * 3)
    found = relevance(with_logits(bank, *rng.normal(size=(100, 803))))
    assert found.mean() < 0.05
    assert relevance(with_logits(made_bank([*["pia"] * 50, None]), rng.normal(size=51))).tolist() == [1]


def test_other_sounds_count_as_a_label() -> None:
    bank = made_bank(["pia", None] * 50)
    assert relevance(with_logits(bank, np.tile([0.0, 1.0], 50)))[0] == pytest.approx(1)


def test_labels_count_alike_however_many_windows_they_have() -> None:
    """A class that tells a rare label from the others tells as much as one that tells a frequent one."""
    names: list[str | None] = ["pia"] * 90 + ["vio"] * 10 + [None] * 10
    noise = np.tile([-1.0, 1.0], 55)
    rare, frequent = (np.array([4.0 * (name == label) for name in names]) + noise for label in ("vio", "pia"))
    assert np.ptp(relevance(with_logits(made_bank(names), rare, frequent))) < 0.02


@pytest.mark.parametrize("names", [["pia"] * 10, EVERYONE * 2])
def test_what_never_tells_anything_leaves_all_classes_alike(names: list[str | None]) -> None:
    """One label alone, or classes that are always the same."""
    logits = np.arange(len(names)) if len(set(names)) == 1 else np.ones(len(names))
    assert relevance(with_logits(made_bank(names), logits, logits)).tolist() == [1, 1]


def test_a_class_that_is_always_the_same_is_no_lesson() -> None:
    bank = with_logits(made_bank(EVERYONE * 2), np.tile(np.arange(5), 2), np.ones(10))
    lessons = lessons_of(bank).of(bank.windows.lessons)
    assert np.isfinite(lessons).all()
    assert not lessons[:, 1].any()


def test_without_teachers_there_are_no_lessons() -> None:
    bank = made_bank(EVERYONE)
    assert lessons_of(bank).of(bank.windows.lessons).shape == (5, 0)
