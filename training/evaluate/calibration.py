"""Calibration: what a network says turned into probabilities that come true as often as they say.

logit' = scale * logit + bias, label by label. Sources: Platt, "Probabilistic Outputs for Support Vector Machines"
(1999), for a scale and a bias each and for the smoothed targets; Guo et al., "On Calibration of Modern Neural Networks"
(ICML 2017), for one temperature (1 / scale). How well it did, `whoplays.training.evaluate.reliability` tells.
"""

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from whoplays.training.evaluate.scores import Probabilities, Truths

Method = Literal["none", "temperature", "platt"]
Floats = NDArray[np.float64]

_EDGE: Final = 1e-6
"""Probabilities are held this far from 0 and 1: float32 rounds what is nearer, and logits must be finite."""
_LARGEST_STEP: Final = float(np.log(20))


class Calibration(NamedTuple):
    """What logits are multiplied by and what is added, label by label: `float64 [labels]` each, scales above 0."""

    scales: Floats
    biases: Floats


def identity(labels: int) -> Calibration:
    """What changes nothing."""
    return Calibration(np.ones(labels), np.zeros(labels))


def fit(probabilities: Probabilities, truths: Truths, weights: Floats, method: Method) -> Calibration:
    """The calibration under which these truths are likeliest; larger probabilities stay larger, label by label.

    Args:
        weights: how much each window counts, `[windows]`.
        method: `temperature`, one scale for all labels and no bias; `platt`, a scale and a bias for each label, those
            of a label that never plays here, or always, left as they are; `none`, the identity.
    """
    found = identity(truths.shape[1])
    if method == "none":
        return found
    logits = to_logits(probabilities)
    targets = _smoothed(truths)
    each = np.broadcast_to(weights[:, None], logits.shape)
    if method == "temperature":
        scale, _ = _likeliest(logits.ravel(), targets.ravel(), each.ravel(), biased=False)
        return Calibration(np.full_like(found.scales, scale), found.biases)
    for k in np.flatnonzero(truths.any(axis=0) & ~truths.all(axis=0)):
        found.scales[k], found.biases[k] = _likeliest(logits[:, k], targets[:, k], weights, biased=True)
    return found


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
    """Platt's targets, label by label: not quite 1 and 0, so that a label told apart without fault stays in bounds."""
    plays = truths.sum(axis=0)
    silent = len(truths) - plays
    return np.asarray(np.where(truths, (plays + 1) / (plays + 2), 1 / (silent + 2)), np.float64)


def _likeliest(logits: Floats, targets: Floats, weights: Floats, *, biased: bool) -> tuple[float, float]:
    """The scale and bias with the least cross-entropy; the scale is kept above 0 by looking for its logarithm."""
    share = weights / weights.sum()

    def loss(point: Floats) -> tuple[float, Floats]:
        scale = np.exp(point[0])
        scaled = scale * logits + point[1]
        wrong = share * (expit(scaled) - targets)
        cost = float((share * (np.logaddexp(0, scaled) - targets * scaled)).sum())
        return cost, np.array([(wrong * logits).sum() * scale, wrong.sum() * biased])

    found = minimize(
        loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-_LARGEST_STEP, _LARGEST_STEP), (None, None)]
    )
    return float(np.exp(found.x[0])), float(found.x[1])
