"""Confidence intervals: the same figures over recordings drawn again, whole groups at a time.

Windows of one group are alike, so they are drawn together (the cluster bootstrap: Davison and Hinkley, "Bootstrap
Methods and their Application", 1997, 3.8). A mix counts as often as the product of how often each of its groups was
drawn (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1(2), 2007), which errs towards wide intervals. An
interval is from the 2.5th to the 97.5th percentile.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from whoplays.training.evaluate.scores import FIGURES, Figures, Probabilities, Truths, Weights

RESAMPLES: Final = 1000
_SEED: Final = 11
_FEWEST_GROUPS: Final = 3


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
    """The 95 % interval of each figure of `scores.Scores` that can be told, by its name there."""
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
