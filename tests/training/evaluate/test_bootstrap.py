import numpy as np

from whoplays.training.evaluate.bootstrap import RESAMPLES, draw, interval, intervals
from whoplays.training.evaluate.scores import FIGURES

LABELS = ("gac", "pia", "vio")


def made(windows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, many of them equal, that lean to the truth."""
    rng = np.random.default_rng(seed)
    truths = rng.random((windows, len(LABELS))) < 0.4
    return np.clip(0.4 * truths + rng.random(truths.shape), 0, 1).round(1).astype(np.float32), truths


def test_groups_are_drawn_whole_and_a_mix_counts_by_all_of_its_groups() -> None:
    weights = draw([("a",), ("a",), ("b",), ("a", "b"), ("c",)])
    assert weights is not None
    assert weights.shape == (RESAMPLES, 5)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_array_equal(weights[:, 3], weights[:, 0] * weights[:, 2])
    np.testing.assert_array_equal(weights[:, [0, 2, 4]].sum(axis=1), 3)


def test_windows_of_one_group_are_no_independent_witnesses() -> None:
    """The same answers: many groups of one window are worth more than a few of many."""
    probabilities, truths = made(120, seed=3)
    active = probabilities >= 0.5
    few, many = (
        intervals(probabilities, active, truths, [(f"{k // size}",) for k in range(120)])["exact_match"]
        for size in (30, 1)
    )
    right = float((active == truths).all(axis=1).mean())
    assert few[0] <= right <= few[1]
    assert many[0] <= right <= many[1]
    wide = intervals(np.repeat(probabilities[:4], 30, 0), np.repeat(active[:4], 30, 0), np.repeat(truths[:4], 30, 0), [
        (f"{k // 30}",) for k in range(120)
    ])["labels_right"]  # fmt: skip
    assert wide[1] - wide[0] > 0.1


def test_it_is_the_same_every_time() -> None:
    probabilities, truths = made(40)
    groups = [(f"{k % 7}",) for k in range(40)]
    first, second = (intervals(probabilities, probabilities >= 0.5, truths, groups) for _ in range(2))
    assert first == second
    assert set(first) <= set(FIGURES)


def test_from_two_groups_nothing_is_told() -> None:
    probabilities, truths = made(10)
    assert intervals(probabilities, probabilities >= 0.5, truths, [(f"{k % 2}",) for k in range(10)]) == {}
    assert intervals(probabilities, probabilities >= 0.5, truths, [()] * 10) == {}


def test_what_resamples_cannot_tell_has_no_interval() -> None:
    assert interval(np.array([np.nan, np.nan, 0.5])) is None
    assert interval(np.linspace(0, 1, 1001)) == (0.025, 0.975)
