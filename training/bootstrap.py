"""Confidence intervals: the same figures over recordings drawn again, whole groups at a time.

Windows of one group are alike, so they are drawn together (the cluster bootstrap: Davison and Hinkley, "Bootstrap
Methods and their Application", 1997, 3.8). A mix counts as often as the product of how often each of its groups was
drawn (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1(2), 2007), which errs towards wide intervals. An
interval is from the 2.5th to the 97.5th percentile.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.scores import Probabilities, Truths, top_k_exact

RESAMPLES: Final = 1000
_SEED: Final = 11
_FEWEST_GROUPS: Final = 3

Weights = NDArray[np.float64]
"""`float64 [resamples, windows]`: how often each window counts."""
Figures = NDArray[np.float64]
"""`float64 [resamples]`; NaN where a resample holds nothing to tell it from."""


def draw(groups: Sequence[tuple[str, ...]]) -> Weights | None:
    """How often each window counts in each resample; None where there are too few groups to draw from.

    Args:
        groups: of each window, the groups that its parts are from.
    """
    names = sorted({name for parts in groups for name in parts})
    if len(names) < _FEWEST_GROUPS:
        return None
    rng = np.random.default_rng(_SEED)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    column = {name: k for k, name in enumerate(names)}
    counts = [times[:, [column[name] for name in parts]].prod(axis=1) for parts in groups]
    return np.stack(counts, axis=1).astype(np.float64)


def intervals(
    probabilities: Probabilities, active: Truths, truths: Truths, groups: Sequence[tuple[str, ...]]
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each figure of `training.scores.Scores` that can be told, by its name there."""
    weights = draw(groups)
    if weights is None:
        return {}
    found = {name: figure(weights, probabilities, active, truths) for name, figure in FIGURES.items()}
    return {name: span for name, figures in found.items() if (span := interval(figures))}


def interval(figures: Figures) -> tuple[float, float] | None:
    """From the 2.5th to the 97.5th percentile; None where half of the resamples tell nothing."""
    told = figures[np.isfinite(figures)]
    if len(told) < len(figures) / 2:
        return None
    low, high = np.percentile(told, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)


def mean(weights: Weights, values: NDArray[np.float64] | Truths, among: Truths | None = None) -> Figures:
    """The weighted mean of a value of each window `[windows]`, of those `among` which it is asked."""
    counted = weights if among is None else weights * among
    return _share(counted @ values.astype(np.float64), counted.sum(axis=1))


def f1(weights: Weights, active: Truths, truths: Truths) -> tuple[Figures, Figures]:
    """Micro F1, and the mean F1 of the labels that occur."""
    hits, named, played = (weights @ marks.astype(np.float64) for marks in (active & truths, active, truths))
    each = np.where(played > 0, _share(2 * hits, named + played), np.nan)
    return _share(2 * hits.sum(axis=1), (named + played).sum(axis=1)), _mean_of_told(each)


def mean_average_precision(weights: Weights, probabilities: Probabilities, truths: Truths) -> Figures:
    """The mean average precision of the labels that occur."""
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


def _share(parts: NDArray[np.float64], whole: NDArray[np.float64]) -> Figures:
    told = whole > 0
    return np.where(told, parts / np.where(told, whole, 1.0), np.nan)


def _mean_of_told(each: NDArray[np.float64]) -> Figures:
    told = np.isfinite(each)
    return _share(np.where(told, each, 0).sum(axis=1), told.sum(axis=1).astype(np.float64))


def _played(marks: Truths) -> Truths:
    """Windows in which any label is marked, `bool [windows]`."""
    return np.asarray(marks.any(axis=1))


def _top1(weights: Weights, probabilities: Probabilities, _active: Truths, truths: Truths) -> Figures:
    rows = np.arange(len(truths))
    return mean(weights, truths[rows, probabilities.argmax(axis=1)], _played(truths))


def _false_alarm(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Figures:
    return mean(weights, _played(active), ~_played(truths))


def _top_k(weights: Weights, probabilities: Probabilities, _active: Truths, truths: Truths) -> Figures:
    return mean(weights, top_k_exact(probabilities, truths), _played(truths))


FIGURES: Final[dict[str, Callable[[Weights, Probabilities, Truths, Truths], Figures]]] = {
    "top1": _top1,
    "top_k_exact": _top_k,
    "labels_right": lambda w, _p, a, t: mean(w, (a == t).mean(axis=1)),
    "exact_match": lambda w, _p, a, t: mean(w, (a == t).all(axis=1)),
    "micro_f1": lambda w, _p, a, t: f1(w, a, t)[0],
    "macro_f1": lambda w, _p, a, t: f1(w, a, t)[1],
    "mean_average_precision": lambda w, p, _a, t: mean_average_precision(w, p, t),
    "false_alarm": _false_alarm,
}
