"""Calibration: turning a network's outputs into probabilities that come true as often as they say.

logit' = scale * logit + bias, label by label. Sources: Platt, "Probabilistic Outputs for Support Vector Machines"
(1999), for a scale and a bias each and for the smoothed targets; Guo et al., "On Calibration of Modern Neural Networks"
(ICML 2017), for one temperature (1 / scale). How well it works is measured by reliability: Naeini, Cooper, Hauskrecht
(AAAI 2015), and Guo et al. for the expected calibration error. Every label of every window is one prediction: that it
plays.
"""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from whoplays.training.evaluate.scores import Probabilities, Truths

Method = Literal["none", "temperature", "platt"]
Floats = NDArray[np.float64]

BINS: Final = 10
_EDGE: Final = 1e-6
"""Probabilities are held this far from 0 and 1: float32 rounds what is nearer, and logits must be finite."""
_LARGEST_STEP: Final = float(np.log(20))


class Calibration(NamedTuple):
    """The scale and the bias of each label's logit: `float64 [labels]` each, scales above 0."""

    scales: Floats
    biases: Floats


def identity(labels: int) -> Calibration:
    """The calibration that changes nothing."""
    return Calibration(np.ones(labels), np.zeros(labels))


def fit(probabilities: Probabilities, truths: Truths, weights: Floats, method: Method) -> Calibration:
    """The calibration under which these truths are likeliest; larger probabilities stay larger, label by label.

    Args:
        weights: how much each window counts, `[windows]`.
        method: `temperature`, one scale for all labels and no bias; `platt`, a scale and a bias for each label, those
            of a label that never plays here, or always, left as they are; `none`, the identity.
    """
    fitted = identity(truths.shape[1])
    if method == "none":
        return fitted
    logits = to_logits(probabilities)
    targets = _smoothed(truths)
    each = np.broadcast_to(weights[:, None], logits.shape)
    if method == "temperature":
        scale, _ = _likeliest(logits.ravel(), targets.ravel(), each.ravel(), biased=False)
        return Calibration(np.full_like(fitted.scales, scale), fitted.biases)
    for k in np.flatnonzero(truths.any(axis=0) & ~truths.all(axis=0)):
        fitted.scales[k], fitted.biases[k] = _likeliest(logits[:, k], targets[:, k], weights, biased=True)
    return fitted


def apply(calibration: Calibration, probabilities: Probabilities) -> Probabilities:
    """Calibrated probabilities of others, `[windows, labels]` both."""
    return expit(calibration.scales * to_logits(probabilities) + calibration.biases).astype(np.float32)


def to_logits(probabilities: Probabilities) -> Floats:
    """The logits of probabilities, held within +-13.8."""
    held = np.clip(probabilities.astype(np.float64), _EDGE, 1 - _EDGE)
    return np.asarray(logit(held), np.float64)


def log_loss(probabilities: Probabilities, truths: Truths, weights: Floats) -> float:
    """Mean of -ln(the probability given to what is true), over windows by weight and over labels alike."""
    logits = to_logits(probabilities)
    losses = np.logaddexp(0, np.where(truths, -logits, logits)).mean(axis=1)
    return float(np.average(losses, weights=weights))


def _smoothed(truths: Truths) -> Floats:
    """Platt's targets, label by label: not quite 1 and 0, so that a perfectly separated label stays in bounds."""
    plays = truths.sum(axis=0)
    silent = len(truths) - plays
    return np.asarray(np.where(truths, (plays + 1) / (plays + 2), 1 / (silent + 2)), np.float64)


def _likeliest(logits: Floats, targets: Floats, weights: Floats, *, biased: bool) -> tuple[float, float]:
    """The scale and bias with the least cross-entropy; the scale is kept above 0 by searching for its logarithm."""
    share = weights / weights.sum()

    def loss(point: Floats) -> tuple[float, Floats]:
        scale = np.exp(point[0])
        scaled = scale * logits + point[1]
        wrong = share * (expit(scaled) - targets)
        cost = float((share * (np.logaddexp(0, scaled) - targets * scaled)).sum())
        return cost, np.array([(wrong * logits).sum() * scale, wrong.sum() * biased])

    result = minimize(
        loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-_LARGEST_STEP, _LARGEST_STEP), (None, None)]
    )
    return float(np.exp(result.x[0])), float(result.x[1])


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
