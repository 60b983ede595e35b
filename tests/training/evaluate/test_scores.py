import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, f1_score

from whoplays.training.evaluate.scores import (
    METRICS,
    RESAMPLES,
    interval,
    intervals,
    resample,
    score,
    single_label_active,
)

LABELS = ("acoustic guitar", "piano", "violin")


def test_figures_are_those_worked_out_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1, 0.6], [0.2, 0.8, 0.4], [0.7, 0.3, 0.1], [0.1, 0.2, 0.3]], np.float32)
    truths = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 0], [0, 0, 0]], bool)
    found = score(probabilities, probabilities >= 0.5, truths, LABELS)
    # Named: gac vio | pia | gac | nothing. Right but for: vio in the second, gac and pia in the third.
    assert found.windows == 4
    assert found.top1 == pytest.approx(2 / 3)
    assert found.labels_right == pytest.approx(9 / 12)
    assert found.label_accuracy == pytest.approx({"acoustic guitar": 3 / 4, "piano": 3 / 4, "violin": 3 / 4})
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
    assert score(active.astype(np.float32), active, truths, ("piano",)).macro_f1 == pytest.approx(2 / 3)


def test_a_label_that_never_plays_is_in_no_mean() -> None:
    probabilities = np.array([[0.9, 0.9, 0.1]], np.float32)
    found = score(probabilities, probabilities >= 0.5, np.array([[True, False, False]]), LABELS)
    assert (found.macro_f1, found.mean_average_precision, found.exact_match) == (1.0, 1.0, 0.0)
    assert found.false_alarm is None


def test_a_single_label_model_names_its_most_probable_label() -> None:
    probabilities = np.array([[0.2, 0.3, 0.25], [0.9, 0.05, 0.05]], np.float32)
    assert single_label_active(probabilities).tolist() == [[False, True, False], [True, False, False]]


shares = arrays.arrays(np.float32, (12, 3), elements=st.floats(0, 1, width=32))
labelled = arrays.arrays(np.bool_, (12, 3))
counts = arrays.arrays(np.int64, (2, 12), elements=st.integers(0, 3))


@given(shares, labelled)
def test_figures_are_shares(probabilities: np.ndarray, truths: np.ndarray) -> None:
    found = score(probabilities, probabilities >= 0.5, truths, LABELS)
    figures = [found.top1, found.labels_right, found.exact_match, found.macro_f1, found.false_alarm]
    assert all(figure is None or 0 <= figure <= 1 for figure in figures)
    assert found.exact_match <= found.labels_right + 1e-9


@given(shares, labelled, labelled, counts)
def test_a_window_that_counts_twice_is_as_two_windows(
    probabilities: np.ndarray, active: np.ndarray, truths: np.ndarray, times: np.ndarray
) -> None:
    found = {name: figure(times.astype(np.float64), probabilities, active, truths) for name, figure in METRICS.items()}
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
        METRICS[name](weights, probabilities, active, truths)
        for name in ("mean_average_precision", "macro_f1", "micro_f1")
    )
    for k, row in enumerate(weights):
        wanted = [average_precision_score(truths[:, j], probabilities[:, j], sample_weight=row) for j in range(3)]
        assert precision[k] == pytest.approx(np.mean(wanted))
        f1 = f1_score(truths[:, :3], active[:, :3], average="macro", sample_weight=row)
        assert macro[k] == pytest.approx(f1)
        assert micro[k] == pytest.approx(f1_score(truths, active, average="micro", sample_weight=row))
    found = score(probabilities, active, truths, (*LABELS, "voice"))
    assert found.mean_average_precision == pytest.approx(precision[0])


def made(windows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, many of them equal, that lean to the truth."""
    rng = np.random.default_rng(seed)
    truths = rng.random((windows, len(LABELS))) < 0.4
    return np.clip(0.4 * truths + rng.random(truths.shape), 0, 1).round(1).astype(np.float32), truths


def test_groups_are_drawn_whole_and_a_mix_counts_by_all_of_its_groups() -> None:
    weights = resample([("a",), ("a",), ("b",), ("a", "b"), ("c",)])
    assert weights is not None
    assert weights.shape == (RESAMPLES, 5)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_array_equal(weights[:, 3], weights[:, 0] * weights[:, 2])
    np.testing.assert_array_equal(weights[:, [0, 2, 4]].sum(axis=1), 3)


def test_windows_of_one_group_are_not_independent() -> None:
    """The same predictions: many groups of one window are worth more than a few of many."""
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
    assert set(first) <= set(METRICS)


def test_two_groups_give_no_interval() -> None:
    probabilities, truths = made(10)
    assert intervals(probabilities, probabilities >= 0.5, truths, [(f"{k % 2}",) for k in range(10)]) == {}
    assert intervals(probabilities, probabilities >= 0.5, truths, [()] * 10) == {}


def test_what_resamples_cannot_tell_has_no_interval() -> None:
    assert interval(np.array([np.nan, np.nan, 0.5])) is None
    assert interval(np.linspace(0, 1, 1001)) == (0.025, 0.975)
