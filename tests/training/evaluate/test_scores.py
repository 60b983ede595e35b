import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, f1_score

from whoplays.training.evaluate.scores import FIGURES, score, single_label_active

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
counts = arrays.arrays(np.int64, (2, 12), elements=st.integers(0, 3))


@given(shares, answers)
def test_figures_are_shares(probabilities: np.ndarray, truths: np.ndarray) -> None:
    found = score(probabilities, probabilities >= 0.5, truths, LABELS)
    figures = [found.top1, found.labels_right, found.exact_match, found.macro_f1, found.false_alarm]
    assert all(figure is None or 0 <= figure <= 1 for figure in figures)
    assert found.exact_match <= found.labels_right + 1e-9


@given(shares, answers, answers, counts)
def test_a_window_that_counts_twice_is_as_two_windows(
    probabilities: np.ndarray, active: np.ndarray, truths: np.ndarray, times: np.ndarray
) -> None:
    found = {name: figure(times.astype(np.float64), probabilities, active, truths) for name, figure in FIGURES.items()}
    for k, row in enumerate(times):
        if row.any():
            every, named, played = (np.repeat(each, row, axis=0) for each in (probabilities, active, truths))
            wanted = score(every, named, played, LABELS)
            for name, figures in found.items():
                figure = getattr(wanted, name)
                assert figures[k] == pytest.approx(np.nan if figure is None else figure, nan_ok=True), name


def test_average_precision_and_f1_are_those_of_scikit_learn() -> None:
    """Many probabilities are equal, and the last label never plays."""
    rng = np.random.default_rng(0)
    truths = rng.random((80, 4)) < (0.4, 0.1, 0.8, 0)
    probabilities = np.clip(0.4 * truths + rng.random(truths.shape), 0, 1).round(1).astype(np.float32)
    active = probabilities >= 0.5
    weights = np.concatenate([np.ones((1, 80)), rng.integers(0, 4, size=(5, 80))])
    precision, macro, micro = (
        FIGURES[name](weights, probabilities, active, truths)
        for name in ("mean_average_precision", "macro_f1", "micro_f1")
    )
    for k, row in enumerate(weights):
        wanted = [average_precision_score(truths[:, j], probabilities[:, j], sample_weight=row) for j in range(3)]
        assert precision[k] == pytest.approx(np.mean(wanted))
        f1 = f1_score(truths[:, :3], active[:, :3], average="macro", sample_weight=row)
        assert macro[k] == pytest.approx(f1)
        assert micro[k] == pytest.approx(f1_score(truths, active, average="micro", sample_weight=row))
    found = score(probabilities, active, truths, (*LABELS, "voi"))
    assert found.mean_average_precision == pytest.approx(precision[0])
