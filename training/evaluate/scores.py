"""Figures of merit, all from probabilities `[windows, labels]` and truths of the same shape.

Each is told of windows that count as often as their weights say, so that figures and their intervals
(`whoplays.training.evaluate.bootstrap`) are of one kind.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]
"""`float32 [windows, labels]` in [0, 1]."""
Truths = NDArray[np.bool_]
"""`bool [windows, labels]`."""
Thresholds = NDArray[np.float64]
"""`float64 [labels]`: at or above it a label is active."""
Weights = NDArray[np.float64]
"""`float64 [resamples, windows]`: how often each window counts."""
Figures = NDArray[np.float64]
"""`float64 [resamples]`; NaN where a resample holds nothing to tell it from."""


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """How well one set of windows was judged; every figure is a share in [0, 1]."""

    windows: int
    top1: float | None
    """The most probable label is one that plays; None where no window has a label."""
    labels_right: float
    """Of all windows times labels."""
    label_accuracy: dict[str, float]
    """Share of windows in which this label was judged rightly."""
    exact_match: float
    """Windows with every label right."""
    macro_f1: float | None
    """Mean over the labels that occur; None where none does."""
    mean_average_precision: float | None
    """Mean over the labels that occur; None where none does."""
    false_alarm: float | None
    """Windows without any of the labels in which one was named; None where every window has one."""
    top_k_exact: float | None = None
    """Where k labels play, the k most probable are exactly those; None where no window has a label."""
    micro_f1: float | None = None
    """Over all labels of all windows; None where no label occurs."""


def score(probabilities: Probabilities, active: Truths, truths: Truths, labels: tuple[str, ...]) -> Scores:
    """Judge probabilities, and which labels were named, by the truth; every window counts once."""
    once = np.ones((1, len(truths)))
    found = {name: float(figure(once, probabilities, active, truths)[0]) for name, figure in FIGURES.items()}
    told = {name: None if np.isnan(value) else value for name, value in found.items()}
    return Scores(
        windows=len(truths),
        top1=told["top1"],
        labels_right=found["labels_right"],
        label_accuracy=dict(zip(labels, map(float, (active == truths).mean(axis=0)), strict=True)),
        exact_match=found["exact_match"],
        macro_f1=told["macro_f1"],
        mean_average_precision=told["mean_average_precision"],
        false_alarm=told["false_alarm"],
        top_k_exact=told["top_k_exact"],
        micro_f1=told["micro_f1"],
    )


def single_label_active(probabilities: Probabilities) -> Truths:
    """What a single-label model names: its most probable label."""
    best = probabilities.argmax(axis=1)[:, None]
    return np.asarray(np.arange(probabilities.shape[1]) == best)


def f1_by_label(weights: Weights, active: Truths, truths: Truths) -> NDArray[np.float64]:
    """F1 of each label, `[resamples, labels]`; NaN where it does not occur."""
    hits, named, played = _hits(weights, active, truths)
    return np.where(played > 0, _share(2 * hits, named + played), np.nan)


def _top1(weights: Weights, probabilities: Probabilities, _active: Truths, truths: Truths) -> Figures:
    rows = np.arange(len(truths))
    return _mean(weights, truths[rows, probabilities.argmax(axis=1)], _any(truths))


def _top_k_exact(weights: Weights, probabilities: Probabilities, _active: Truths, truths: Truths) -> Figures:
    rank = (-probabilities).argsort(axis=1, kind="stable").argsort(axis=1)
    exact = ((rank < truths.sum(axis=1, keepdims=True)) == truths).all(axis=1)
    return _mean(weights, exact, _any(truths))


def _labels_right(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Figures:
    return _mean(weights, (active == truths).mean(axis=1))


def _exact_match(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Figures:
    return _mean(weights, (active == truths).all(axis=1))


def _micro_f1(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Figures:
    hits, named, played = (each.sum(axis=1) for each in _hits(weights, active, truths))
    return np.where(played > 0, _share(2 * hits, named + played), np.nan)


def _macro_f1(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Figures:
    return _mean_of_told(f1_by_label(weights, active, truths))


def _mean_average_precision(weights: Weights, probabilities: Probabilities, _active: Truths, truths: Truths) -> Figures:
    columns = [_average_precision(weights, probabilities[:, k], truths[:, k]) for k in range(truths.shape[1])]
    return _mean_of_told(np.stack(columns, axis=1))


def _average_precision(weights: Weights, probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> Figures:
    """Sum of precision times what recall gains, from the most probable down; equals are taken at once."""
    order = np.argsort(-probabilities, kind="stable")
    ranked = weights[:, order]
    steps = np.append(np.flatnonzero(np.diff(probabilities[order])), len(order) - 1)
    hits = (ranked * truth[order]).cumsum(axis=1)[:, steps]
    precision = np.nan_to_num(_share(hits, ranked.cumsum(axis=1)[:, steps]))
    gains = np.diff(hits, axis=1, prepend=0)
    return _share((precision * gains).sum(axis=1), hits[:, -1])


def _false_alarm(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Figures:
    return _mean(weights, _any(active), ~_any(truths))


def _any(marks: Truths) -> Truths:
    """Windows in which any label is marked, `bool [windows]`."""
    return np.asarray(marks.any(axis=1))


def _hits(weights: Weights, active: Truths, truths: Truths) -> list[NDArray[np.float64]]:
    """How often each label was named rightly, was named, and played: `[resamples, labels]` each."""
    return [weights @ marks.astype(np.float64) for marks in (active & truths, active, truths)]


def _mean(weights: Weights, values: NDArray[np.float64] | Truths, among: Truths | None = None) -> Figures:
    """The weighted mean of a value of each window `[windows]`, of those `among` which it is asked."""
    counted = weights if among is None else weights * among
    return _share(counted @ values.astype(np.float64), counted.sum(axis=1))


def _mean_of_told(each: NDArray[np.float64]) -> Figures:
    """The mean over labels, `[resamples, labels]`, of those that occur."""
    told = np.isfinite(each)
    return _share(np.where(told, each, 0).sum(axis=1), told.sum(axis=1).astype(np.float64))


def _share(parts: NDArray[np.float64], whole: NDArray[np.float64]) -> Figures:
    told = whole > 0
    return np.where(told, parts / np.where(told, whole, 1.0), np.nan)


FIGURES: Final[dict[str, Callable[[Weights, Probabilities, Truths, Truths], Figures]]] = {
    "top1": _top1,
    "top_k_exact": _top_k_exact,
    "labels_right": _labels_right,
    "exact_match": _exact_match,
    "micro_f1": _micro_f1,
    "macro_f1": _macro_f1,
    "mean_average_precision": _mean_average_precision,
    "false_alarm": _false_alarm,
}
"""How each figure of `Scores` is told from weights, probabilities, what was named, and truths; by its name there."""
