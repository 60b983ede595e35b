"""How sure a figure is: intervals of percentiles and of ratios, at 95 %.

Both take the measured times as independent of one another, or the rounds in which they were measured.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 10_000

Verdict = Literal["faster", "slower", "cannot tell"]


class Interval(NamedTuple):
    """From the lowest to the highest value that a figure may have."""

    low: float
    high: float


class RatioEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """How much time B takes for each second that A takes."""

    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Of B beside A: one of them is faster only if the whole interval says so."""
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "cannot tell"


def quantile_ranks(count: int, share: float) -> tuple[int, int] | None:
    """Between which order statistics, counted from 1, a quantile lies, whatever the distribution is.

    The number of `count` values below the quantile is binomial; each end errs in at most 2.5 % (David and Nagaraja,
    Order Statistics, 7.1).

    Returns:
        None if there are too few values for that.

    >>> quantile_ranks(100, 0.5), quantile_ranks(367, 0.99), quantile_ranks(368, 0.99)
    ((40, 61), None, (360, 368))
    """
    k = np.arange(1, count + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((count - k + 1) / k))])
    successes = np.arange(count + 1)
    below = np.cumsum(np.exp(logs + successes * np.log(share) + (count - successes) * np.log1p(-share)))
    tail = (1 - CONFIDENCE) / 2
    lower = int(np.searchsorted(below, tail, side="right"))
    upper = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return (lower, upper) if lower >= 1 and upper <= count else None


def quantile_interval(values: npt.ArrayLike, share: float) -> Interval | None:
    """The interval of a quantile of one or more values; None if they are too few."""
    ordered = np.sort(np.asarray(values, np.float64))
    ranks = quantile_ranks(len(ordered), share)
    return Interval(float(ordered[ranks[0] - 1]), float(ordered[ranks[1] - 1])) if ranks else None


def ratio_of_medians(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], *, seed: int = 0
) -> RatioEstimate:
    """The median of the second's rounds by that of the first's, with a bootstrap interval (Efron).

    A round's median is one value: what disturbs a round disturbs all of its windows. Rounds of the same number were
    measured one after the other, and are drawn together.

    Args:
        first: of each round its times; two or more.
        second: as many rounds.
        seed: of the draws.

    >>> ratio_of_medians([[2.0], [2.0]], [[1.0], [1.0]])
    RatioEstimate(ratio=0.5, low=0.5, high=0.5)
    """
    ratios = np.array([np.median(b) / np.median(a) for a, b in zip(first, second, strict=True)])
    drawn = np.random.default_rng(seed).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    found = np.median(ratios[drawn], axis=1)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(found, (tail, 100 - tail))
    return RatioEstimate(ratio=float(np.median(ratios)), low=float(low), high=float(high))
