import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import expit

from whoplays.training.evaluate.calibration import (
    Calibration,
    apply,
    fit,
    identity,
    log_loss,
    pooled,
    reliability,
    to_logits,
)


def drawn(scale: float, bias: float, windows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `[windows, 2]`, and truths as likely as scale * logit + bias says."""
    rng = np.random.default_rng(3)
    logits = rng.normal(-1, 2, (windows, 2))
    truths = rng.random(logits.shape) < expit(scale * logits + bias)
    return expit(logits).astype(np.float32), truths


def test_what_was_off_by_a_scale_and_a_bias_is_found_out() -> None:
    probabilities, truths = drawn(0.5, -1.0)
    found = fit(probabilities, truths, np.ones(len(truths)), "platt")
    assert found.scales == pytest.approx([0.5, 0.5], abs=0.05)
    assert found.biases == pytest.approx([-1.0, -1.0], abs=0.1)


def test_a_temperature_is_one_scale_for_all_labels() -> None:
    probabilities, truths = drawn(2.0, 0.0)
    found = fit(probabilities, truths, np.ones(len(truths)), "temperature")
    assert found.scales == pytest.approx([2.0, 2.0], abs=0.15)
    assert found.scales[0] == found.scales[1]
    assert found.biases.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_calibrating_lowers_error_and_loss_on_what_it_was_not_fitted_on(method: str) -> None:
    probabilities, truths = drawn(0.4, 0.0 if method == "temperature" else 1.0)
    half = np.arange(len(truths)) < len(truths) // 2
    weights = np.ones(half.sum())
    found = fit(probabilities[half], truths[half], weights, method)  # type: ignore[arg-type]
    calibrated, other, true = apply(found, probabilities[~half]), probabilities[~half], truths[~half]
    assert reliability(calibrated, true, weights).error < 0.5 * reliability(other, true, weights).error
    assert log_loss(calibrated, true, weights) < log_loss(other, true, weights)


def test_windows_count_by_their_weights() -> None:
    """Of two halves that disagree, the one with the weight has its way."""
    probabilities, truths = drawn(1.0, 0.0)
    halves = np.where(np.arange(len(truths)) % 2, 1.0, 1e-6)
    truths[::2] = False
    found = fit(probabilities, truths, halves, "platt")
    assert found.biases == pytest.approx([0.0, 0.0], abs=0.2)


def test_a_label_that_never_plays_is_left_as_it_is() -> None:
    probabilities, truths = drawn(0.5, -1.0)
    truths[:, 1] = False
    found = fit(probabilities, truths, np.ones(len(truths)), "platt")
    assert (found.scales[1], found.biases[1]) == (1.0, 0.0)
    assert found.scales[0] != 1.0


def test_labels_told_apart_without_fault_stay_within_bounds() -> None:
    truths = np.array([[True], [True], [False], [False]])
    probabilities = np.where(truths, 1.0, 0.0).astype(np.float32)
    found = fit(probabilities, truths, np.ones(4), "platt")
    calibrated = apply(found, probabilities)
    assert np.isfinite([*found.scales, *found.biases]).all()
    assert calibrated[truths] == pytest.approx([0.75, 0.75], abs=0.01)
    assert calibrated[~truths] == pytest.approx([0.25, 0.25], abs=0.01)


def test_none_is_the_identity() -> None:
    probabilities, truths = drawn(0.5, -1.0)
    found = fit(probabilities, truths, np.ones(len(truths)), "none")
    assert apply(found, probabilities) == pytest.approx(probabilities, abs=1e-5)


@given(
    arrays.arrays(np.float32, (20, 2), elements=st.floats(0, 1, width=32)),
    st.floats(0.05, 20),
    st.floats(-5, 5),
)
def test_larger_stays_larger(probabilities: np.ndarray, scale: float, bias: float) -> None:
    calibrated = apply(Calibration(np.full(2, scale), np.full(2, bias)), probabilities)
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    for k in range(2):
        assert (np.diff(calibrated[probabilities[:, k].argsort(kind="stable"), k]) >= 0).all()


def test_logits_are_finite_and_come_back() -> None:
    shares = np.array([[0.0, 0.25, 1.0]], np.float32)
    assert np.isfinite(to_logits(shares)).all()
    assert apply(identity(3), shares) == pytest.approx(shares, abs=1e-5)


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


def test_reliability_counts_windows_by_their_weights() -> None:
    # 0.95 twice, once right: off by 0.45, half of the weight; 0.15 twice, never right: off by 0.15.
    probabilities = np.array([[0.95], [0.95], [0.15], [0.15]], np.float32)
    truths = np.array([[True], [False], [False], [False]])
    assert reliability(probabilities, truths, np.ones(4)) == reliability(probabilities, truths)
    assert reliability(probabilities, truths).error == pytest.approx(0.3)
    assert reliability(probabilities, truths, np.array([0.0, 0, 1, 1])).error == pytest.approx(0.15)
