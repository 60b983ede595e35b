"""A calibration and thresholds, fitted together on what runs answered."""

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.training.evaluate import exam
from whoplays.training.evaluate.answers import Sheet
from whoplays.training.evaluate.calibration import Calibration, Method, apply, fit
from whoplays.training.evaluate.scores import Probabilities, Thresholds, Truths
from whoplays.training.evaluate.thresholds import fit_evenly, fit_jointly, fit_thresholds, kind_weights

Rule = Literal["f-measure", "even", "exact"]

OTHERS: Final = exam.OTHERS


class Ask(NamedTuple):
    """What is fitted, and how."""

    method: Method
    rule: Rule
    false_alarm_cost: float
    """What a false alarm on other sounds costs, in sets of instruments that are not exactly right."""


class Answers(NamedTuple):
    """The answers of several sheets; every array has a row for each question."""

    probabilities: Probabilities
    truths: Truths
    asked: Truths
    kinds: NDArray[np.str_]
    blocks: NDArray[np.str_]


class Fitted(NamedTuple):
    """A calibration, and thresholds of calibrated probabilities."""

    calibration: Calibration
    thresholds: Thresholds


def fit_all(sheets: list[Sheet], ask: Ask) -> Fitted:
    """What fits these answers best, each kind of window counting alike.

    Calibration and F-measures are fitted on the exam of most labels; thresholds for exact answers on every exam, for
    one model is to be right of eleven labels and of four.
    """
    answers = _joined(sheets)
    wide = answers.asked.all(axis=1)
    alike = kind_weights(answers.kinds[wide], OTHERS, 1.0)
    calibration = fit(answers.probabilities[wide], answers.truths[wide], alike, ask.method)
    told = apply(calibration, answers.probabilities)
    thresholds = fit_thresholds(told[wide], answers.truths[wide], alike)
    if ask.rule != "f-measure":
        thresholds = _exactly(answers, told, thresholds, ask)
    return Fitted(calibration, thresholds)


def fit_others(sheets: list[Sheet], own: Sheet, ask: Ask) -> Fitted:
    """What fits the answers of all runs but one: what that one may be judged by."""
    return fit_all([sheet for sheet in sheets if sheet.run != own.run], ask)


def _exactly(answers: Answers, told: Probabilities, start: Thresholds, ask: Ask) -> Thresholds:
    """Thresholds for the most windows exactly right, each exam and in it each kind of window counting alike."""
    wide = answers.asked.all(axis=1)
    weights = np.zeros(len(told))
    for rows in (wide, ~wide):
        weights[rows] = kind_weights(answers.kinds[rows], OTHERS, ask.false_alarm_cost)
    if ask.rule == "even":
        return fit_evenly(told, answers.truths, answers.asked, weights)
    return fit_jointly(told, answers.truths, answers.asked, weights, answers.blocks, start)


def _joined(sheets: list[Sheet]) -> Answers:
    return Answers(
        probabilities=np.concatenate([sheet.probabilities for sheet in sheets]),
        truths=np.concatenate([sheet.truths for sheet in sheets]),
        asked=np.concatenate([np.broadcast_to(sheet.asked, sheet.truths.shape) for sheet in sheets]),
        kinds=np.concatenate([sheet.kinds for sheet in sheets]),
        blocks=np.concatenate([sheet.blocks for sheet in sheets]),
    )
