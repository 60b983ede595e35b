"""Reliability: how often what was given a probability comes true, and how far that is off on average.

Source: Naeini, Cooper, Hauskrecht (AAAI 2015); Guo, Pleiss, Sun, Weinberger (ICML 2017), for the expected calibration
error. Here every label of every window is one prediction: that it plays.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from whoplays.training.evaluate.scores import Probabilities, Truths

BINS: Final = 10


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions in ten bins of equal width, from 0 to 1."""

    counts: tuple[float, ...]
    """How many predictions fell into each bin, or what they weigh."""
    predicted: tuple[float, ...]
    """Their mean probability; 0 where there are none."""
    came_true: tuple[float, ...]
    """The share of them that was true; 0 where there are none."""

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of the two, each bin by its count; 0 is perfect."""
        counts, predicted, came_true = (np.array(part) for part in (self.counts, self.predicted, self.came_true))
        return float((counts * np.abs(predicted - came_true)).sum() / max(counts.sum(), 1e-9))


def reliability(
    probabilities: Probabilities, truths: Truths, weights: NDArray[np.float64] | None = None
) -> Reliability:
    """The reliability of probabilities `[windows, labels]`.

    Args:
        weights: how much each window counts, `[windows]`; all alike unless given.
    """
    each = np.ones(len(truths)) if weights is None else weights
    shares = np.broadcast_to(each[:, None], truths.shape).ravel()
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1).ravel()
    return _of_sums(
        *(np.bincount(bins, shares * values, BINS) for values in (1.0, probabilities.ravel(), truths.ravel()))
    )


def pooled(several: Iterable[Reliability]) -> Reliability:
    """The reliability of several sets of windows, each set counting alike."""
    sums = np.zeros((3, BINS))
    for one in several:
        counts = np.array(one.counts) / max(sum(one.counts), 1e-9)
        sums += np.array([counts, counts * one.predicted, counts * one.came_true])
    return _of_sums(*sums)


def _of_sums(counts: np.ndarray, predicted: np.ndarray, came_true: np.ndarray) -> Reliability:
    among = np.where(counts > 0, counts, 1.0)
    return Reliability(
        counts=tuple(counts.tolist()),
        predicted=tuple((predicted / among).tolist()),
        came_true=tuple((came_true / among).tolist()),
    )
