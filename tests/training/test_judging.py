"""Thresholds to ship with and thresholds to compare by, of answers that are made up."""

import numpy as np
import pytest

from training.judging import crosswise, fit_to_compare, fit_to_ship
from training.sitting import Answers, Paper


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
def test_what_compares_heeds_only_windows_in_which_somebody_plays(level: float) -> None:
    """However little a tagger of hundreds of classes gives to any."""
    threshold = fit_to_compare([paper(level)])
    assert threshold is not None
    assert 0.2 * level < threshold[0] <= 0.4 * level


def test_what_ships_heeds_false_alarms_too() -> None:
    threshold = fit_to_ship([paper()])
    assert threshold is not None
    assert 0.6 < threshold[0] <= 0.8


def test_each_share_is_judged_by_what_fits_the_others() -> None:
    of_first, of_second = crosswise(fit_to_compare, [paper(1.0), paper(0.01)])
    assert of_first is not None
    assert of_second is not None
    assert of_first[0] <= 0.004
    assert of_second[0] > 0.2


def test_without_answers_there_are_no_thresholds() -> None:
    silent: Paper = {"silence": answers([0.0], [0])}
    assert crosswise(fit_to_compare, [paper()]) == [None]
    assert fit_to_ship([silent]) is None
    assert fit_to_compare([silent, {"other sounds": answers([0.5], [0])}]) is None
