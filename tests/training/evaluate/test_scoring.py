"""Thresholds to ship with, thresholds to compare by, and paired differences, of predictions that are made up."""

import numpy as np
import pytest

from tests.training.data.make_clips import clip
from whoplays.training.evaluate.inference import Predictions, SetPredictions
from whoplays.training.evaluate.predictors import DecisionRule
from whoplays.training.evaluate.results import Difference
from whoplays.training.evaluate.scores import intervals
from whoplays.training.evaluate.scoring import (
    Decisions,
    cross_fit,
    differences,
    fit_f_measure,
    fit_most_right,
    rules_of,
)
from whoplays.training.evaluate.testset import ClipWindow, Example


def predictions(given: list[float], truth: list[int]) -> Predictions:
    """To one label."""
    return Predictions([], np.array(given, np.float32)[:, None], np.array(truth, bool)[:, None])


def fold(level: float = 1.0) -> SetPredictions:
    """Of a tagger that gives an instrument 0.4 of `level` or more, and as much to half of what is none."""
    return {
        "solos": predictions([0.8 * level, 0.1 * level], [1, 0]),
        "pairs": predictions([0.4 * level, 0.2 * level], [1, 0]),
        "other sounds": predictions([0.6 * level, 0.6 * level, 0.1 * level], [0, 0, 0]),
        "silence": predictions([0.0, 0.0], [0, 0]),
    }


@pytest.mark.parametrize("level", [1.0, 0.01])
def test_the_most_right_heed_only_windows_in_which_somebody_plays(level: float) -> None:
    """However little a tagger of hundreds of classes gives to any."""
    threshold = fit_most_right([fold(level)])
    assert threshold is not None
    assert 0.2 * level < threshold[0] <= 0.4 * level


def test_f_measures_heed_false_alarms_too() -> None:
    threshold = fit_f_measure([fold()])
    assert threshold is not None
    assert 0.6 < threshold[0] <= 0.8


def test_each_fold_is_decided_by_what_fits_the_others() -> None:
    of_first, of_second = cross_fit(fit_most_right, [fold(1.0), fold(0.01)])
    assert of_first is not None
    assert of_second is not None
    assert of_first[0] <= 0.004
    assert of_second[0] > 0.2


def test_without_predictions_there_are_no_thresholds() -> None:
    silent: SetPredictions = {"silence": predictions([0.0], [0])}
    assert cross_fit(fit_most_right, [fold()]) == [None]
    assert fit_f_measure([silent]) is None
    assert fit_most_right([silent, {"other sounds": predictions([0.5], [0])}]) is None


def test_a_set_counts_alike_over_however_many_folds_it_is_spread() -> None:
    """Solos pay for a low threshold, pairs for a high one; a hundred folds of solos outvote no fold of pairs."""
    solos: SetPredictions = {"solos": predictions([0.2, 0.8], [1, 1])}
    pairs: SetPredictions = {"pairs": predictions([0.4, 0.4, 0.4, 0.8], [0, 0, 0, 1])}
    alone = fit_most_right([solos, pairs])
    spread = fit_most_right([*[solos] * 100, pairs])
    assert alone is not None
    assert spread is not None
    assert alone[0] == spread[0] > 0.4


def test_thresholds_are_tuned_for_each_scope_by_itself() -> None:
    """The fewer of a scope's windows a label plays in, the higher its threshold may be."""
    own = [DecisionRule(np.array([0.5])), DecisionRule(np.array([0.3]))]
    found = rules_of(own, {"core": [fold(1.0), fold(1.0)], "all": [fold(0.1), fold(0.1)]})
    assert [rules.own.thresholds[0] for rules in found["core"]] == [0.5, 0.3]
    for scope, low, high in (("core", 0.2, 0.4), ("all", 0.02, 0.04)):
        for rules in found[scope]:
            assert rules.tuned is not None
            assert low < rules.tuned[0] <= high


SOURCES, EACH = 8, 20


def decided(right: np.ndarray, *, tuned: bool = True) -> Decisions:
    """Windows of two labels, of which the first plays; `right` where it was named, and nothing was where not."""
    examples = [
        Example((ClipWindow(clip(f"{k}", ["piano"], group=f"g{k}", source=f"s{k // EACH}"), 0),), (0.0,))
        for k in range(len(right))
    ]
    truths = np.tile([True, False], (len(right), 1))
    active = np.stack([right, np.zeros(len(right), bool)], axis=1)
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9]).astype(np.float32)
    return Decisions(examples, probabilities, truths, active, active if tuned else None)


def compared(mine: np.ndarray, theirs: np.ndarray, name: str = "trios", *, tuned: bool = True) -> Difference:
    first, second = ({("core", name): decided(each, tuned=tuned)} for each in (mine, theirs))
    (found,) = differences(first, second, "other")
    return found


def by_source(shares: list[float]) -> np.ndarray:
    return np.concatenate([np.arange(EACH) < round(EACH * share) for share in shares])


def test_what_is_hard_for_both_cancels_out() -> None:
    """Sources differ much, the two never: always better by a tenth, however little each source alone tells."""
    shares = [0.1, 0.9, 0.2, 0.8, 0.5, 0.3, 0.6, 0.7]
    found = compared(by_source([share + 0.1 for share in shares]), by_source(shares))
    assert (found.own, found.own_interval) == (0.1, (0.1, 0.1))
    assert (found.tuned, found.tuned_interval) == (0.1, (0.1, 0.1))
    assert (found.other, found.set, found.scope, found.metric) == ("other", "trios", "core", "exact_match")


def test_one_source_is_no_more_than_one_sample() -> None:
    """Better in one source of eight only: recordings alone would be sure of it, sources are not."""
    theirs = by_source([0.5] * SOURCES)
    mine = by_source([1.0] + [0.5] * (SOURCES - 1))
    found = compared(mine, theirs)
    assert found.own == pytest.approx(0.0625)
    assert found.own_interval is not None
    assert found.own_interval[0] == 0
    assert found.own_interval[1] > 0.12
    one = decided(mine)
    alone = intervals(one.probabilities, one.active, one.truths, one.groups)["exact_match"]
    assert alone[0] > 0.47


def test_a_model_does_not_differ_from_itself() -> None:
    right = by_source([0.5] * SOURCES)
    assert compared(right, right).own_interval == (0.0, 0.0)


def test_what_needs_no_thresholds_and_what_was_not_tuned_stands_once() -> None:
    right = by_source([0.5] * SOURCES)
    assert compared(right, right, "solos").tuned is None
    assert compared(right, right, tuned=False).tuned is None


def test_two_sources_give_no_interval() -> None:
    found = compared(by_source([0.5, 0.9]), by_source([0.5, 0.5]))
    assert found.own == pytest.approx(0.2)
    assert found.own_interval is None


def test_other_sets_and_what_only_one_has_are_not_compared() -> None:
    right = by_source([0.5] * SOURCES)
    one = decided(right)
    assert not list(differences({("core", "silence"): one}, {("core", "silence"): one}, "other"))
    assert not list(differences({("core", "trios"): one}, {("all", "trios"): one}, "other"))
