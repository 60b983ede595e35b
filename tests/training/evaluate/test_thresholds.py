import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from whoplays.training.evaluate.thresholds import (
    GRID,
    fit_evenly,
    fit_jointly,
    fit_thresholds,
    kind_weights,
    most_right,
)

ALL = np.ones(2, bool)
shares = arrays.arrays(np.float32, (12, 3), elements=st.floats(0, 1, width=32))
labelled = arrays.arrays(np.bool_, (12, 3))


@given(shares, labelled)
def test_no_threshold_of_the_grid_is_better_than_the_one_fitted(probabilities: np.ndarray, truths: np.ndarray) -> None:
    fitted = fit_thresholds(probabilities, truths)
    for k in range(3):
        if truths[:, k].any():
            best = max(f_measure(probabilities[:, k] >= t, truths[:, k]) for t in GRID)
            assert f_measure(probabilities[:, k] >= fitted[k], truths[:, k]) == pytest.approx(best)
        else:
            assert fitted[k] == 0.5


def f_measure(active: np.ndarray, truth: np.ndarray) -> float:
    hits, wrong, missed = (active & truth).sum(), (active & ~truth).sum(), (~active & truth).sum()
    return float(1.5 * hits / (1.5 * hits + wrong + 0.5 * missed))


def test_a_threshold_lies_in_the_middle_of_the_best() -> None:
    probabilities = np.array([[0.2], [0.3], [0.7], [0.9]], np.float32)
    assert fit_thresholds(probabilities, np.array([[0], [0], [1], [1]], bool)) == pytest.approx(0.505, abs=0.01)


def test_between_two_thresholds_that_are_best_is_none() -> None:
    """One of two players found without a false alarm, or both with one: 3/4 either way, and less between."""
    probabilities = np.array([[0.9], [0.7], [0.3]], np.float32)
    truth = np.array([[1], [0], [1]], bool)
    (threshold,) = fit_thresholds(probabilities, truth)
    assert f_measure(probabilities[:, 0] >= threshold, truth[:, 0]) == pytest.approx(3 / 4)


def test_windows_count_by_their_weights() -> None:
    probabilities = np.array([[0.3], [0.6], [0.8]], np.float32)
    truth = np.array([[True], [False], [True]])
    low, high = (fit_thresholds(probabilities, truth, np.array(weights))[0] for weights in ([9, 1, 1], [1, 9, 1]))
    assert low < 0.3
    assert high > 0.6


def test_the_most_right_counts_a_name_too_many_as_one_too_few() -> None:
    """Above 0.3 one is missed, below two are named wrongly; for F-measures a wrong name costs twice a miss."""
    probabilities = np.array([[0.3], [0.6], [0.5], [0.8]], np.float32)
    truth = np.array([[True], [False], [False], [True]])
    (threshold,) = most_right(probabilities, truth, np.ones(4), GRID)
    assert 0.6 < threshold <= 0.8
    (threshold,) = most_right(probabilities, truth, np.array([3.0, 1.0, 1.0, 1.0]), GRID)
    assert threshold < 0.3
    assert most_right(probabilities, np.zeros((4, 1), bool), np.ones(4), GRID) == 0.5


def exact(probabilities: np.ndarray, truths: np.ndarray, thresholds: np.ndarray) -> float:
    return float(((probabilities >= thresholds) == truths).all(axis=1).mean())


def noisy(windows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two labels whose probabilities are worth little where both play; every window a recording of its own."""
    rng = np.random.default_rng(1)
    truths = rng.random((windows, 2)) < 0.3
    probabilities = np.clip(0.25 + 0.4 * truths + rng.normal(0, 0.15, truths.shape), 0.01, 0.99).astype(np.float32)
    return probabilities, truths, np.array([str(row) for row in range(windows)])


def test_each_kind_counts_alike_and_other_sounds_by_their_cost() -> None:
    kinds = np.array(["solos", "solos", "solos", "pairs", "other sounds", "other sounds"])
    weights = kind_weights(kinds, "other sounds", 3.0)
    assert {kind: weights[kinds == kind].sum() for kind in set(kinds)} == pytest.approx(
        {"solos": 1.0, "pairs": 1.0, "other sounds": 3.0}
    )


def test_thresholds_fitted_together_get_more_windows_exactly_right() -> None:
    probabilities, truths, blocks = noisy(600)
    start = fit_thresholds(probabilities, truths)
    in_scope = np.broadcast_to(ALL, truths.shape)
    found = fit_jointly(probabilities, truths, in_scope, np.ones(len(truths)), blocks, start)
    assert exact(probabilities, truths, found) >= exact(probabilities, truths, start)
    assert found == pytest.approx([0.47, 0.47], abs=0.08)
    again = fit_jointly(probabilities, truths, in_scope, np.ones(len(truths)), blocks, start)
    assert found.tolist() == again.tolist()


def test_a_label_that_never_plays_keeps_its_threshold() -> None:
    probabilities, truths, blocks = noisy(100)
    truths[:, 1] = False
    in_scope = np.broadcast_to(ALL, truths.shape)
    found = fit_jointly(probabilities, truths, in_scope, np.ones(100), blocks, np.array([0.5, 0.333]))
    assert found[1] == pytest.approx(0.333)
    assert found[0] != 0.5


def test_dearer_false_alarms_raise_the_thresholds() -> None:
    probabilities, truths, blocks = noisy(600)
    kinds = np.where(truths.any(axis=1), "solos", "other sounds")
    in_scope = np.broadcast_to(ALL, truths.shape)
    start = np.array([0.5, 0.5])
    cheap, dear = (
        fit_jointly(probabilities, truths, in_scope, kind_weights(kinds, "other sounds", cost), blocks, start)
        for cost in (0.2, 5.0)
    )
    assert (dear > cheap).all()
    even = [
        fit_evenly(probabilities, truths, in_scope, kind_weights(kinds, "other sounds", cost))[0] for cost in (0.2, 5.0)
    ]
    assert even[0] < even[1]


def test_one_threshold_for_all_lies_in_the_middle_of_the_best() -> None:
    probabilities = np.array([[0.2, 0.8], [0.7, 0.3]], np.float32)
    truths = np.array([[False, True], [True, False]])
    found = fit_evenly(probabilities, truths, np.broadcast_to(ALL, truths.shape), np.ones(2))
    assert found == pytest.approx([0.5, 0.5], abs=0.02)


def test_a_label_that_is_not_asked_for_is_never_wrong() -> None:
    """The second label is wrong at any threshold; where it is not in_scope for, that does not matter."""
    probabilities = np.array([[0.2, 0.9], [0.7, 0.1]], np.float32)
    truths = np.array([[False, False], [True, True]])
    in_scope = np.broadcast_to(np.array([True, False]), truths.shape)
    found = fit_jointly(probabilities, truths, in_scope, np.ones(2), np.array(["a", "b"]), np.array([0.9, 0.5]))
    assert 0.2 < found[0] <= 0.7
    assert found[1] == 0.5
