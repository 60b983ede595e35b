"""By how much one is better than another: the same windows, and the same resamples of where they come from.

Recordings of one source share players, rooms and microphones, so whole sources are drawn (`bootstrap.py`). What
makes a source hard makes it hard for both, and cancels out in the difference (the paired bootstrap: Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from whoplays.training.evaluate.bootstrap import draw, interval
from whoplays.training.evaluate.exam import OTHERS
from whoplays.training.evaluate.findings import Difference, Interval
from whoplays.training.evaluate.marking import Marked
from whoplays.training.evaluate.scores import FIGURES, Figures, Weights

MAIN: Final = MappingProxyType(
    {
        "solos": ("top1",),
        "pairs": ("labels_right", "exact_match", "mean_average_precision"),
        "trios": ("exact_match",),
        OTHERS: ("false_alarm",),
    }
)
"""The figures that are compared, by the set that they are of."""
_RANKINGS: Final = frozenset({"top1", "mean_average_precision"})
"""Figures that need no thresholds."""

Answered = Mapping[tuple[str, str], Marked]
"""One candidate's answers by scope and set."""


def differences(mine: Answered, theirs: Answered, other: str) -> Iterator[Difference]:
    """How much higher one is than another in the main figures of every exam that both sat.

    Args:
        other: what reports call the other.
    """
    for scope, name in mine:
        if name in MAIN and (scope, name) in theirs:
            pair = mine[scope, name], theirs[scope, name]
            resamples = draw(pair[0].sources)
            for figure in MAIN[name]:
                own, own_interval = _told(figure, pair, resamples, tuned=False)
                tuned, tuned_interval = _told(figure, pair, resamples, tuned=True)
                if own is not None:
                    yield Difference(
                        other=other,
                        set=name,
                        scope=scope,
                        figure=figure,
                        own=own,
                        own_interval=own_interval,
                        tuned=tuned,
                        tuned_interval=tuned_interval,
                    )


def _told(
    figure: str, pair: tuple[Marked, Marked], resamples: Weights | None, *, tuned: bool
) -> tuple[float | None, Interval | None]:
    """The difference itself and its interval; nothing where there are no thresholds, or none are needed."""
    if tuned and figure in _RANKINGS:
        return None, None
    once = _gaps(figure, pair, np.ones((1, len(pair[0].truths))), tuned=tuned)
    if once is None or not np.isfinite(once[0]):
        return None, None
    drawn = None if resamples is None else _gaps(figure, pair, resamples, tuned=tuned)
    return round(float(once[0]), 4), None if drawn is None else interval(drawn)


def _gaps(figure: str, pair: tuple[Marked, Marked], weights: Weights, *, tuned: bool) -> Figures | None:
    """The difference in each resample; None where one of the two has no tuned thresholds."""
    found: list[Figures] = []
    for one in pair:
        active = one.tuned if tuned else one.active
        if active is None:
            return None
        found.append(FIGURES[figure](weights, one.probabilities, active, one.truths))
    return found[0] - found[1]
