import numpy as np
import pytest

from whoplays.training.evaluate.reliability import pooled, reliability


def test_bins_and_error_are_those_worked_out_by_hand() -> None:
    probabilities = np.array([[0.05, 0.95], [0.05, 1.0], [0.65, 0.65]], np.float32)
    truths = np.array([[0, 1], [0, 1], [1, 0]], bool)
    found = reliability(probabilities, truths)
    assert found.counts == (2, 0, 0, 0, 0, 0, 2, 0, 0, 2)
    assert found.predicted[9] == pytest.approx(0.975)
    assert (found.came_true[0], found.came_true[6], found.came_true[9]) == (0, 0.5, 1)
    # Two predictions 0.05 off, two 0.15 off, two 0.025 off.
    assert found.error == pytest.approx((2 * 0.05 + 2 * 0.15 + 2 * 0.025) / 6)


def test_probabilities_that_come_true_have_no_error() -> None:
    probabilities = np.full((10, 1), 0.3, np.float32)
    assert reliability(probabilities, (np.arange(10) < 3)[:, None]).error == pytest.approx(0, abs=1e-6)


def test_sets_count_alike_however_large() -> None:
    large = reliability(np.full((100, 1), 0.55, np.float32), np.ones((100, 1), bool))
    small = reliability(np.full((2, 1), 0.55, np.float32), np.zeros((2, 1), bool))
    both = pooled([large, small])
    assert both.came_true[5] == pytest.approx(0.5)
    assert both.error == pytest.approx(0.05, abs=1e-6)
    assert pooled([]).error == 0


def test_windows_count_by_their_weights() -> None:
    # 0.95 twice, once right: off by 0.45, half of the weight; 0.15 twice, never right: off by 0.15.
    probabilities = np.array([[0.95], [0.95], [0.15], [0.15]], np.float32)
    truths = np.array([[True], [False], [False], [False]])
    assert reliability(probabilities, truths, np.ones(4)) == reliability(probabilities, truths)
    assert reliability(probabilities, truths).error == pytest.approx(0.3)
    assert reliability(probabilities, truths, np.array([0.0, 0, 1, 1])).error == pytest.approx(0.15)
