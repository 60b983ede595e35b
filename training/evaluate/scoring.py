"""From predictions to scores, a test set at a time: at a model's own thresholds, and at thresholds tuned for all alike.

Differences between two models are of the same windows and the same resamples. Recordings of one source share players,
rooms and microphones, so whole sources are drawn. What makes a source hard makes it hard for both, and cancels out in
the difference (the paired bootstrap: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.training.evaluate.calibration import reliability
from whoplays.training.evaluate.inference import ModelPredictions, Predictions, SetPredictions
from whoplays.training.evaluate.predictors import DecisionRule, Model
from whoplays.training.evaluate.results import Difference, SetResult
from whoplays.training.evaluate.scores import (
    METRICS,
    Interval,
    Probabilities,
    Scores,
    Thresholds,
    Truths,
    Values,
    Weights,
    interval,
    intervals,
    resample,
    score,
    single_label_active,
)
from whoplays.training.evaluate.testset import OTHERS, SILENCE, Example
from whoplays.training.evaluate.thresholds import GRID, fit_thresholds, most_right

MAIN_METRICS: Final = MappingProxyType(
    {
        "solos": ("top1",),
        "pairs": ("labels_right", "exact_match", "mean_average_precision"),
        "trios": ("exact_match",),
        OTHERS: ("false_alarm",),
    }
)
"""The metrics in which models are compared, by test set."""
_RANKINGS: Final = frozenset({"top1", "mean_average_precision"})
"""Metrics that need no thresholds."""
_FINE: Final = np.geomspace(0.0005, 0.05, 40)
_GRID: Final = np.unique(np.concatenate([_FINE, GRID, 1 - _FINE]))
"""Thresholds that are tried: a tagger of hundreds of classes seldom gives one of them much."""

Fit = Callable[[list[SetPredictions]], Thresholds | None]
"""Fits thresholds to the predictions of several folds."""


class FoldRules(NamedTuple):
    """The decision rules of one model for one fold."""

    own: DecisionRule
    tuned: Thresholds | None
    """Of the network's outputs, before any calibration of its own: the same for every model."""


class Decisions(NamedTuple):
    """All folds of one test set, in the labels of one scope: calibrated probabilities, and which labels are active."""

    examples: list[Example]
    probabilities: Probabilities
    truths: Truths
    active: Truths
    tuned: Truths | None

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Of each example, the groups of its parts."""
        return [example.groups for example in self.examples]

    @property
    def sources(self) -> list[tuple[str, ...]]:
        """Of each example, the sources of its parts."""
        return [example.sources for example in self.examples]


ModelDecisions = Mapping[tuple[str, str], Decisions]
"""Of one model, by scope and test set."""


def fit_f_measure(folds: list[SetPredictions]) -> Thresholds | None:
    """The best F-measures on all windows but silence, each set counting alike; None without any."""
    return _fit(fit_thresholds, folds, {SILENCE})


def fit_most_right(folds: list[SetPredictions]) -> Thresholds | None:
    """The most labels right where anybody plays, each set counting alike; None without any."""
    return _fit(most_right, folds, {SILENCE, OTHERS})


def cross_fit(fit: Fit, folds: list[SetPredictions]) -> list[Thresholds | None]:
    """For each fold, the thresholds that fit all others; None where there are none."""
    return [fit([fold for fold in folds if fold is not own]) for own in folds]


def rules_of(own: list[DecisionRule], predictions: ModelPredictions) -> dict[str, list[FoldRules]]:
    """By scope, the decision rules of each fold: a model's own, and thresholds tuned on the other folds of that scope.

    Other sounds do not count in the latter: they compare who ranks rightly, and the cost in false alarms is measured.
    """
    return {
        scope: [FoldRules(*each) for each in zip(own, cross_fit(fit_most_right, folds), strict=True)]
        for scope, folds in predictions.items()
    }


def decide(model: Model, parts: list[tuple[Predictions, FoldRules]], labels: tuple[str, ...]) -> Decisions:
    """Join the folds of one test set and decide which labels are active: of a single-label model, the most probable."""
    columns = [model.labels.index(label) for label in labels]
    own = [rules.own.apply(predictions.probabilities) for predictions, rules in parts]
    probabilities = np.concatenate([calibrated for calibrated, _ in own])[:, columns]
    active = np.concatenate([above for _, above in own])[:, columns]
    tuned = [predictions.probabilities >= rules.tuned for predictions, rules in parts if rules.tuned is not None]
    return Decisions(
        examples=[example for predictions, _ in parts for example in predictions.examples],
        probabilities=probabilities,
        truths=np.concatenate([predictions.truths for predictions, _ in parts])[:, columns],
        active=active if model.task == "multi-label" else single_label_active(probabilities),
        tuned=np.concatenate(tuned)[:, columns] if len(tuned) == len(parts) else None,
    )


def scores_of(decisions: Decisions, labels: tuple[str, ...]) -> tuple[Scores, Scores | None]:
    """At own thresholds, and at tuned ones."""
    own = score(decisions.probabilities, decisions.active, decisions.truths, labels)
    if decisions.tuned is None:
        return own, None
    return own, score(decisions.probabilities, decisions.tuned, decisions.truths, labels)


def score_set(scope: str, name: str, decisions: Decisions, labels: tuple[str, ...]) -> SetResult:
    """All results on one test set."""
    scores, tuned = scores_of(decisions, labels)
    probabilities, truths, groups = decisions.probabilities, decisions.truths, decisions.groups
    solos = name == "solos"
    return SetResult(
        set=name,
        scope=scope,
        scores=scores,
        top1_by_source=_top1_by(lambda example: example.source, decisions) if solos else {},
        top1_by_group=_top1_by(lambda example: " + ".join(example.groups), decisions) if solos else {},
        confusion=_confusion(truths, single_label_active(probabilities) if solos else decisions.active, labels),
        intervals=intervals(probabilities, decisions.active, truths, groups),
        tuned=tuned,
        tuned_intervals={} if decisions.tuned is None else intervals(probabilities, decisions.tuned, truths, groups),
        reliability=reliability(probabilities, truths),
    )


def differences(mine: ModelDecisions, theirs: ModelDecisions, other: str) -> Iterator[Difference]:
    """How much higher one model is than another in the main metrics of every test set that both have.

    Args:
        other: the other's name in reports.
    """
    for scope, name in mine:
        if name in MAIN_METRICS and (scope, name) in theirs:
            pair = mine[scope, name], theirs[scope, name]
            weights = resample(pair[0].sources)
            for metric in MAIN_METRICS[name]:
                own, own_interval = _difference(metric, pair, weights, tuned=False)
                tuned, tuned_interval = _difference(metric, pair, weights, tuned=True)
                if own is not None:
                    yield Difference(
                        other=other,
                        set=name,
                        scope=scope,
                        metric=metric,
                        own=own,
                        own_interval=own_interval,
                        tuned=tuned,
                        tuned_interval=tuned_interval,
                    )


def _fit(
    rule: Callable[[Probabilities, Truths, NDArray[np.float64], NDArray[np.float64]], Thresholds],
    folds: list[SetPredictions],
    left_out: set[str],
) -> Thresholds | None:
    names = {name for fold in folds for name in fold} - left_out
    if not names:
        return None
    sets = [[fold[name] for fold in folds if name in fold] for name in sorted(names)]
    sizes = [sum(len(part.truths) for part in parts) for parts in sets]
    return rule(
        np.concatenate([part.probabilities for parts in sets for part in parts]),
        np.concatenate([part.truths for parts in sets for part in parts]),
        np.concatenate([np.full(size, 1 / size) for size in sizes]),
        _GRID,
    )


def _top1_by(key: Callable[[Example], str], decisions: Decisions) -> dict[str, float]:
    right: dict[str, list[bool]] = defaultdict(list)
    best = decisions.probabilities.argmax(axis=1)
    for example, truth, k in zip(decisions.examples, decisions.truths, best, strict=True):
        right[key(example)].append(bool(truth[k]))
    return {name: float(np.mean(values)) for name, values in sorted(right.items())}


def _confusion(truths: Truths, active: Truths, labels: tuple[str, ...]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for truth, predicted in zip(truths, active, strict=True):
        counts[_label_set(truth, labels)][_label_set(predicted, labels)] += 1
    return counts


def _label_set(row: NDArray[np.bool_], labels: Sequence[str]) -> str:
    return " ".join(label for label, present in zip(labels, row, strict=True) if present) or "none"


def _difference(
    metric: str, pair: tuple[Decisions, Decisions], weights: Weights | None, *, tuned: bool
) -> tuple[float | None, Interval | None]:
    """The difference itself and its interval; None where there are no thresholds, or none are needed."""
    if tuned and metric in _RANKINGS:
        return None, None
    once = _differences(metric, pair, np.ones((1, len(pair[0].truths))), tuned=tuned)
    if once is None or not np.isfinite(once[0]):
        return None, None
    resampled = None if weights is None else _differences(metric, pair, weights, tuned=tuned)
    return round(float(once[0]), 4), None if resampled is None else interval(resampled)


def _differences(metric: str, pair: tuple[Decisions, Decisions], weights: Weights, *, tuned: bool) -> Values | None:
    """The difference in each resample; None where one of the two has no tuned thresholds."""
    found: list[Values] = []
    for one in pair:
        active = one.tuned if tuned else one.active
        if active is None:
            return None
        found.append(METRICS[metric](weights, one.probabilities, active, one.truths))
    return found[0] - found[1]
