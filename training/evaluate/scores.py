"""Metrics of predictions and their confidence intervals, from probabilities `[windows, labels]` and truths alike.

Each metric takes weights that say how often a window counts, so that a metric and its interval are computed in one way.

Intervals come from the cluster bootstrap: recordings are drawn again, whole groups at a time, for windows of one group
are alike (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, 3.8). A mix counts as often as the
product of how often each of its groups was drawn (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1(2),
2007), which errs towards wide intervals. An interval runs from the 2.5th to the 97.5th percentile.
"""

from collections.abc import Callable, Sequence
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
Values = NDArray[np.float64]
"""`float64 [resamples]`: of one metric; NaN where a resample holds no window that it is defined on."""
Interval = tuple[float, float]
"""Where a metric lies in 95 of 100 resamples."""

RESAMPLES: Final = 1000
_SEED: Final = 11
_FEWEST_GROUPS: Final = 3


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics of one set of windows; every one is a share in [0, 1]."""

    windows: int
    top1: float | None
    """The most probable label plays; None where no window has a label."""
    labels_right: float
    """Of all windows times labels."""
    label_accuracy: dict[str, float]
    """Share of windows in which this label is right."""
    exact_match: float
    """Windows with every label right."""
    macro_f1: float | None
    """Mean over the labels that occur; None where none does."""
    mean_average_precision: float | None
    """Mean over the labels that occur; None where none does."""
    false_alarm: float | None
    """Windows without any of the labels in which one is active; None where every window has one."""
    top_k_exact: float | None = None
    """Where k labels play, the k most probable are exactly those; None where no window has a label."""
    micro_f1: float | None = None
    """Over all labels of all windows; None where no label occurs."""


def score(probabilities: Probabilities, active: Truths, truths: Truths, labels: tuple[str, ...]) -> Scores:
    """The metrics of probabilities and of active labels; every window counts once."""
    once = np.ones((1, len(truths)))
    found = {name: float(metric(once, probabilities, active, truths)[0]) for name, metric in METRICS.items()}
    defined = {name: None if np.isnan(value) else value for name, value in found.items()}
    return Scores(
        windows=len(truths),
        top1=defined["top1"],
        labels_right=found["labels_right"],
        label_accuracy=dict(zip(labels, map(float, (active == truths).mean(axis=0)), strict=True)),
        exact_match=found["exact_match"],
        macro_f1=defined["macro_f1"],
        mean_average_precision=defined["mean_average_precision"],
        false_alarm=defined["false_alarm"],
        top_k_exact=defined["top_k_exact"],
        micro_f1=defined["micro_f1"],
    )


def resample(groups: Sequence[tuple[str, ...]]) -> Weights | None:
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
) -> dict[str, Interval]:
    """The 95 % interval of each metric of `Scores` that has one, by its name there."""
    weights = resample(groups)
    if weights is None:
        return {}
    found = {name: metric(weights, probabilities, active, truths) for name, metric in METRICS.items()}
    return {name: span for name, values in found.items() if (span := interval(values))}


def interval(values: Values) -> Interval | None:
    """From the 2.5th to the 97.5th percentile; None where the metric is undefined in half of the resamples."""
    defined = values[np.isfinite(values)]
    if len(defined) < len(values) / 2:
        return None
    low, high = np.percentile(defined, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)


def single_label_active(probabilities: Probabilities) -> Truths:
    """The active label of a single-label model: the most probable one."""
    best = probabilities.argmax(axis=1)[:, None]
    return np.asarray(np.arange(probabilities.shape[1]) == best)


def f1_by_label(weights: Weights, active: Truths, truths: Truths) -> NDArray[np.float64]:
    """F1 of each label, `[resamples, labels]`; NaN where it does not occur."""
    hits, predicted, played = _hits(weights, active, truths)
    return np.where(played > 0, _share(2 * hits, predicted + played), np.nan)


def _top1(weights: Weights, probabilities: Probabilities, _active: Truths, truths: Truths) -> Values:
    rows = np.arange(len(truths))
    return _mean(weights, truths[rows, probabilities.argmax(axis=1)], _any(truths))


def _top_k_exact(weights: Weights, probabilities: Probabilities, _active: Truths, truths: Truths) -> Values:
    rank = (-probabilities).argsort(axis=1, kind="stable").argsort(axis=1)
    exact = ((rank < truths.sum(axis=1, keepdims=True)) == truths).all(axis=1)
    return _mean(weights, exact, _any(truths))


def _labels_right(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Values:
    return _mean(weights, (active == truths).mean(axis=1))


def _exact_match(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Values:
    return _mean(weights, (active == truths).all(axis=1))


def _micro_f1(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Values:
    hits, predicted, played = (each.sum(axis=1) for each in _hits(weights, active, truths))
    return np.where(played > 0, _share(2 * hits, predicted + played), np.nan)


def _macro_f1(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Values:
    return _mean_over_labels(f1_by_label(weights, active, truths))


def _mean_average_precision(weights: Weights, probabilities: Probabilities, _active: Truths, truths: Truths) -> Values:
    columns = [_average_precision(weights, probabilities[:, k], truths[:, k]) for k in range(truths.shape[1])]
    return _mean_over_labels(np.stack(columns, axis=1))


def _average_precision(weights: Weights, probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> Values:
    """Sum of precision times what recall gains, from the most probable down; ties are taken at once."""
    order = np.argsort(-probabilities, kind="stable")
    ranked = weights[:, order]
    steps = np.append(np.flatnonzero(np.diff(probabilities[order])), len(order) - 1)
    hits = (ranked * truth[order]).cumsum(axis=1)[:, steps]
    precision = np.nan_to_num(_share(hits, ranked.cumsum(axis=1)[:, steps]))
    gains = np.diff(hits, axis=1, prepend=0)
    return _share((precision * gains).sum(axis=1), hits[:, -1])


def _false_alarm(weights: Weights, _probabilities: Probabilities, active: Truths, truths: Truths) -> Values:
    return _mean(weights, _any(active), ~_any(truths))


def _any(marks: Truths) -> Truths:
    """Windows in which any label is set, `bool [windows]`."""
    return np.asarray(marks.any(axis=1))


def _hits(weights: Weights, active: Truths, truths: Truths) -> list[NDArray[np.float64]]:
    """True positives, predicted positives and positives of each label: `[resamples, labels]` each."""
    return [weights @ marks.astype(np.float64) for marks in (active & truths, active, truths)]


def _mean(weights: Weights, values: NDArray[np.float64] | Truths, among: Truths | None = None) -> Values:
    """The weighted mean of a value of each window `[windows]`, of those in `among` only."""
    counted = weights if among is None else weights * among
    return _share(counted @ values.astype(np.float64), counted.sum(axis=1))


def _mean_over_labels(each: NDArray[np.float64]) -> Values:
    """The mean over labels, `[resamples, labels]`, of those that occur."""
    occurs = np.isfinite(each)
    return _share(np.where(occurs, each, 0).sum(axis=1), occurs.sum(axis=1).astype(np.float64))


def _share(parts: NDArray[np.float64], whole: NDArray[np.float64]) -> Values:
    defined = whole > 0
    return np.where(defined, parts / np.where(defined, whole, 1.0), np.nan)


METRICS: Final[dict[str, Callable[[Weights, Probabilities, Truths, Truths], Values]]] = {
    "top1": _top1,
    "top_k_exact": _top_k_exact,
    "labels_right": _labels_right,
    "exact_match": _exact_match,
    "micro_f1": _micro_f1,
    "macro_f1": _macro_f1,
    "mean_average_precision": _mean_average_precision,
    "false_alarm": _false_alarm,
}
"""Each metric of `Scores`, computed from weights, probabilities, active labels and truths; by its name there."""
