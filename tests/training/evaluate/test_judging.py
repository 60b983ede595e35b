"""Thresholds to ship with and thresholds to compare by, of answers that are made up."""

import numpy as np
import pytest

from whoplays.training.evaluate.candidates import Own
from whoplays.training.evaluate.marking import by_f_measure, by_most_right, crosswise, marking
from whoplays.training.evaluate.sitting import Answers, Paper


def answers(given: list[float], truth: list[int]) -> Answers:
    """To one label."""
    return Answers([], np.array(given, np.float32)[:, None], np.array(truth, bool)[:, None])


def paper(level: float = 1.0) -> Paper:
    """Of a tagger that gives an instrument 0.4 of `level` or more, and as much to half of what is none."""
    return {
        "solos": answers([0.8 * level, 0.1 * level], [1, 0]),
        "pairs": answers([0.4 * level, 0.2 * level], [1, 0]),
        "other sounds": answers([0.6 * level, 0.6 * level, 0.1 * level], [0, 0, 0]),
        "silence": answers([0.0, 0.0], [0, 0]),
    }


@pytest.mark.parametrize("level", [1.0, 0.01])
def test_the_most_right_heed_only_windows_in_which_somebody_plays(level: float) -> None:
    """However little a tagger of hundreds of classes gives to any."""
    threshold = by_most_right([paper(level)])
    assert threshold is not None
    assert 0.2 * level < threshold[0] <= 0.4 * level


def test_f_measures_heed_false_alarms_too() -> None:
    threshold = by_f_measure([paper()])
    assert threshold is not None
    assert 0.6 < threshold[0] <= 0.8


def test_each_share_is_judged_by_what_fits_the_others() -> None:
    of_first, of_second = crosswise(by_most_right, [paper(1.0), paper(0.01)])
    assert of_first is not None
    assert of_second is not None
    assert of_first[0] <= 0.004
    assert of_second[0] > 0.2


def test_without_answers_there_are_no_thresholds() -> None:
    silent: Paper = {"silence": answers([0.0], [0])}
    assert crosswise(by_most_right, [paper()]) == [None]
    assert by_f_measure([silent]) is None
    assert by_most_right([silent, {"other sounds": answers([0.5], [0])}]) is None


def test_a_set_counts_alike_over_however_many_shares_it_is_spread() -> None:
    """Solos pay for a low threshold, pairs for a high one; a hundred shares of solos outvote no share of pairs."""
    solos: Paper = {"solos": answers([0.2, 0.8], [1, 1])}
    pairs: Paper = {"pairs": answers([0.4, 0.4, 0.4, 0.8], [0, 0, 0, 1])}
    alone = by_most_right([solos, pairs])
    spread = by_most_right([*[solos] * 100, pairs])
    assert alone is not None
    assert spread is not None
    assert alone[0] == spread[0] > 0.4


def test_thresholds_are_tuned_for_each_scope_by_itself() -> None:
    """The fewer of a scope's windows a label plays in, the higher its threshold may be."""
    own = [Own(np.array([0.5])), Own(np.array([0.3]))]
    found = marking(own, {"core": [paper(1.0), paper(1.0)], "all": [paper(0.1), paper(0.1)]})
    assert [marks.own.thresholds[0] for marks in found["core"]] == [0.5, 0.3]
    for scope, low, high in (("core", 0.2, 0.4), ("all", 0.02, 0.04)):
        for marks in found[scope]:
            assert marks.tuned is not None
            assert low < marks.tuned[0] <= high
