import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from training.scores import fit_thresholds, most_right, score, single_label_active

LABELS = ("gac", "pia", "vio")


def test_figures_are_those_worked_out_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1, 0.6], [0.2, 0.8, 0.4], [0.7, 0.3, 0.1], [0.1, 0.2, 0.3]], np.float32)
    truths = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 0], [0, 0, 0]], bool)
    found = score(probabilities, probabilities >= 0.5, truths, LABELS)
    # Named: gac vio | pia | gac | nothing. Right but for: vio in the second, gac and pia in the third.
    assert found.windows == 4
    assert found.top1 == pytest.approx(2 / 3)
    assert found.labels_right == pytest.approx(9 / 12)
    assert found.label_accuracy == pytest.approx({"gac": 3 / 4, "pia": 3 / 4, "vio": 3 / 4})
    assert found.exact_match == pytest.approx(2 / 4)
    # Each label: one hit, and one false alarm or one miss: F1 = 2 / 3.
    assert found.macro_f1 == pytest.approx(2 / 3)
    # Ranked by probability: gac hits at 1; pia hits at 1 and 2; vio hits at 1 and 2.
    assert found.mean_average_precision == pytest.approx(1.0)
    assert found.false_alarm == 0.0


def test_a_false_alarm_is_any_label_where_none_plays() -> None:
    probabilities = np.array([[0.9, 0.9, 0.1], [0.1, 0.1, 0.1], [0.1, 0.6, 0.1], [0.1, 0.1, 0.1]], np.float32)
    found = score(probabilities, probabilities >= 0.5, np.zeros((4, 3), bool), LABELS)
    assert found.false_alarm == 0.5
    assert (found.top1, found.macro_f1, found.mean_average_precision) == (None, None, None)


def test_a_label_alone_counts_only_its_own_f1() -> None:
    active, truths = np.array([[True], [True], [False]]), np.array([[True], [False], [False]])
    assert score(active.astype(np.float32), active, truths, ("pia",)).macro_f1 == pytest.approx(2 / 3)


def test_a_label_that_never_plays_is_in_no_mean() -> None:
    probabilities = np.array([[0.9, 0.9, 0.1]], np.float32)
    found = score(probabilities, probabilities >= 0.5, np.array([[True, False, False]]), LABELS)
    assert (found.macro_f1, found.mean_average_precision, found.exact_match) == (1.0, 1.0, 0.0)
    assert found.false_alarm is None


def test_a_single_label_model_names_its_most_probable_label() -> None:
    probabilities = np.array([[0.2, 0.3, 0.25], [0.9, 0.05, 0.05]], np.float32)
    assert single_label_active(probabilities).tolist() == [[False, True, False], [True, False, False]]


shares = arrays.arrays(np.float32, (12, 3), elements=st.floats(0, 1, width=32))
answers = arrays.arrays(np.bool_, (12, 3))


@given(shares, answers)
def test_figures_are_shares(probabilities: np.ndarray, truths: np.ndarray) -> None:
    found = score(probabilities, probabilities >= 0.5, truths, LABELS)
    figures = [found.top1, found.labels_right, found.exact_match, found.macro_f1, found.false_alarm]
    assert all(figure is None or 0 <= figure <= 1 for figure in figures)
    assert found.exact_match <= found.labels_right + 1e-9


@given(shares, answers)
def test_no_threshold_of_the_grid_is_better_than_the_one_fitted(probabilities: np.ndarray, truths: np.ndarray) -> None:
    fitted = fit_thresholds(probabilities, truths)
    for k in range(3):
        if truths[:, k].any():
            best = max(f_measure(probabilities[:, k] >= t, truths[:, k]) for t in np.linspace(0.05, 0.95, 91))
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
    grid = np.linspace(0.05, 0.95, 91)
    (threshold,) = most_right(probabilities, truth, np.ones(4), grid)
    assert 0.6 < threshold <= 0.8
    (threshold,) = most_right(probabilities, truth, np.array([3.0, 1.0, 1.0, 1.0]), grid)
    assert threshold < 0.3
    assert most_right(probabilities, np.zeros((4, 1), bool), np.ones(4), grid) == 0.5
