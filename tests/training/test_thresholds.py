import numpy as np
import pytest

from training.scores import fit_thresholds
from training.thresholds import fit_evenly, fit_jointly, kind_weights

ALL = np.ones(2, bool)


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
    asked = np.broadcast_to(ALL, truths.shape)
    found = fit_jointly(probabilities, truths, asked, np.ones(len(truths)), blocks, start)
    assert exact(probabilities, truths, found) >= exact(probabilities, truths, start)
    assert found == pytest.approx([0.47, 0.47], abs=0.08)
    again = fit_jointly(probabilities, truths, asked, np.ones(len(truths)), blocks, start)
    assert found.tolist() == again.tolist()


def test_a_label_that_never_plays_keeps_its_threshold() -> None:
    probabilities, truths, blocks = noisy(100)
    truths[:, 1] = False
    asked = np.broadcast_to(ALL, truths.shape)
    found = fit_jointly(probabilities, truths, asked, np.ones(100), blocks, np.array([0.5, 0.333]))
    assert found[1] == pytest.approx(0.333)
    assert found[0] != 0.5


def test_dearer_false_alarms_raise_the_thresholds() -> None:
    probabilities, truths, blocks = noisy(600)
    kinds = np.where(truths.any(axis=1), "solos", "other sounds")
    asked = np.broadcast_to(ALL, truths.shape)
    start = np.array([0.5, 0.5])
    cheap, dear = (
        fit_jointly(probabilities, truths, asked, kind_weights(kinds, "other sounds", cost), blocks, start)
        for cost in (0.2, 5.0)
    )
    assert (dear > cheap).all()
    even = [
        fit_evenly(probabilities, truths, asked, kind_weights(kinds, "other sounds", cost))[0] for cost in (0.2, 5.0)
    ]
    assert even[0] < even[1]


def test_one_threshold_for_all_lies_in_the_middle_of_the_best() -> None:
    probabilities = np.array([[0.2, 0.8], [0.7, 0.3]], np.float32)
    truths = np.array([[False, True], [True, False]])
    found = fit_evenly(probabilities, truths, np.broadcast_to(ALL, truths.shape), np.ones(2))
    assert found == pytest.approx([0.5, 0.5], abs=0.02)


def test_a_label_that_is_not_asked_for_is_never_wrong() -> None:
    """The second label is wrong at any threshold; where it is not asked for, that does not matter."""
    probabilities = np.array([[0.2, 0.9], [0.7, 0.1]], np.float32)
    truths = np.array([[False, False], [True, True]])
    asked = np.broadcast_to(np.array([True, False]), truths.shape)
    found = fit_jointly(probabilities, truths, asked, np.ones(2), np.array(["a", "b"]), np.array([0.9, 0.5]))
    assert 0.2 < found[0] <= 0.7
    assert found[1] == 0.5
