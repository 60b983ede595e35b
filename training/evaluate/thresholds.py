"""Thresholds: the best for each label by itself, or for all of them together.

A window is exactly right only if no label is wrong, so for the most of those what one threshold gains depends on the
others: they are moved in turn until none gains any more.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from whoplays.training.evaluate.scores import Probabilities, Thresholds, Truths

GRID: Final = np.linspace(0.05, 0.95, 91)
"""Thresholds that are tried."""
ROUNDS: Final = 8
RESAMPLES: Final = 40
_MISS_COST: Final = 0.5
_TOLERANCE: Final = 1e-9
"""How much less is still the best: sums of weights are rounded."""
Floats = NDArray[np.float64]


def fit_thresholds(
    probabilities: Probabilities, truths: Truths, weights: Floats | None = None, grid: Floats = GRID
) -> Thresholds:
    """Per label, the best threshold on these windows; 0.5 for a label that never plays in them.

    Best is the largest F-measure in which a false positive counts twice as much as a false negative (beta² = 1/2).

    Args:
        weights: how much each window counts, `[windows]`; all alike unless given.
        grid: what is tried, ascending.
    """
    share = (np.ones(len(truths)) if weights is None else weights)[:, None]
    best = np.full(truths.shape[1], 0.5)
    for k in np.flatnonzero(truths.any(axis=0)):
        active = probabilities[:, k, None] >= grid
        truth = truths[:, k, None]
        predicted = (share * active).sum(axis=0) + _MISS_COST * (share * truth).sum()
        f_measure = (1 + _MISS_COST) * (share * (active & truth)).sum(axis=0) / predicted
        best[k] = grid[_middle_of_longest_run(_best(f_measure))]
    return best


def most_right(probabilities: Probabilities, truths: Truths, weights: Floats, grid: Floats) -> Thresholds:
    """Per label, the threshold by which the most windows are right about it; 0.5 for a label that never plays in them.

    Args:
        weights: how much each window counts, `[windows]`.
        grid: what is tried, ascending.
    """
    best = np.full(truths.shape[1], 0.5)
    for k in np.flatnonzero(truths.any(axis=0)):
        right = weights @ ((probabilities[:, k, None] >= grid) == truths[:, k, None])
        best[k] = grid[_middle_of_longest_run(_best(right))]
    return best


def kind_weights(kinds: NDArray[np.str_], others: str, false_alarm_cost: float) -> Floats:
    """How much each window counts, `[windows]`: each kind of window alike, but other sounds by `false_alarm_cost`.

    Of other sounds a window is exactly right when no label is active. So at a cost of 1 a false alarm costs as much as
    a set of instruments that is not exactly right, where each kind of window is as common as any other.
    """
    names, places, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    worth = np.where(names == others, false_alarm_cost, 1.0) / counts
    return np.asarray(worth[places], np.float64)


def fit_evenly(probabilities: Probabilities, truths: Truths, in_scope: Truths, weights: Floats) -> Thresholds:
    """The one threshold for all labels that gets the largest weight of windows exactly right: `[labels]`, all the same.

    With calibrated probabilities of labels that are independent given the window, 0.5 would be best for the share of
    windows exactly right; one number leaves nothing to overfit.

    Args:
        in_scope: which labels count in each window, of the same shape as the truths.
        weights: how much each window counts, `[windows]`.
    """
    exact = _right(probabilities, truths, in_scope).all(axis=0)
    return np.full(truths.shape[1], GRID[_middle(_best(weights @ exact))])


def fit_jointly(
    probabilities: Probabilities,
    truths: Truths,
    in_scope: Truths,
    weights: Floats,
    blocks: NDArray[np.str_],
    start: Thresholds,
) -> Thresholds:
    """Thresholds that get the largest weight of windows exactly right, averaged over resamples.

    Each resample draws blocks with return, fits by coordinate ascent, and the logits of what it found are averaged:
    one recording that a threshold happens to fit is in no more than two of three resamples (bagging, Breiman 1996).

    Args:
        in_scope: which labels count in each window, of the same shape as the truths.
        weights: how much each window counts, `[windows]`.
        blocks: what is drawn together, `[windows]`: windows of one recording are not independent.
        start: where to start from, `[labels]`; a label that never plays stays there.
    """
    right = _right(probabilities, truths, in_scope)
    moving = np.flatnonzero((truths & in_scope).any(axis=0))
    rng = np.random.default_rng(0)
    names, places = np.unique(blocks, return_inverse=True)
    found = np.empty((RESAMPLES, len(start)))
    for thresholds in found:
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        thresholds[:] = _ascend(right, weights * drawn[places], start, moving)
    return np.asarray(expit(logit(found).mean(axis=0)), np.float64)


def _right(probabilities: Probabilities, truths: Truths, in_scope: Truths) -> Truths:
    """Whether each label is right in each window at each threshold of the grid: `[labels, windows, grid]`."""
    right = (probabilities[:, :, None] >= GRID) == truths[:, :, None]
    return np.moveaxis(right | ~in_scope[:, :, None], 1, 0)


def _ascend(right: Truths, weights: Floats, start: Thresholds, moving: NDArray[np.intp]) -> Thresholds:
    """Move one threshold at a time to where the most windows are right, until none moves."""
    at = np.abs(start[:, None] - GRID).argmin(axis=1)
    for _ in range(ROUNDS):
        before = at.copy()
        for k in moving:
            others = [right[j, :, at[j]] for j in range(len(at)) if j != k]
            gained = np.where(np.all(others, axis=0), weights, 0.0) @ right[k]
            at[k] = _middle(_best(gained))
        if (at == before).all():
            break
    return np.where(np.isin(np.arange(len(at)), moving), GRID[at], start)


def _best(gained: Floats) -> NDArray[np.intp]:
    """The places that gain most, ascending."""
    return np.flatnonzero(gained >= gained.max() - _TOLERANCE)


def _middle_of_longest_run(places: NDArray[np.intp]) -> int:
    """The middle of the longest run of neighbours; what lies between two runs is not as good."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return _middle(max(runs, key=len))


def _middle(places: NDArray[np.intp]) -> int:
    """The middle one of the places, of whichever run.

    Fitted to few windows, one threshold for all labels gets more of others exactly right by this than by the other.
    """
    return int(places[len(places) // 2])
