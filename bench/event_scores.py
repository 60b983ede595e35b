"""Event-based figures: what was told of who enters and leaves, against who did.

Source: Mesaros, Heittola, Virtanen, "Metrics for Polyphonic Sound Event Detection" (Applied Sciences 2016), and its
implementation sed_eval: an event told is right when its label is, and its onset lies within a collar of the true one;
for the stricter figure its offset too, within the collar or half of the true event's length, whichever is longer. Pairs
are matched so that as many as possible are right.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

COLLAR_S: Final = 1.5
"""Half of a window: what begins within a window is told to begin where the window does."""
OFFSET_SHARE: Final = 0.5


class Played(NamedTuple):
    """Who played, from when to when."""

    label: str
    start_s: float
    end_s: float


class Told(NamedTuple):
    """An event that was told, and the end of the window that showed its beginning."""

    label: str
    start_s: float
    end_s: float
    known_s: float


class EventScores(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one or more concerts together."""

    played: int
    """How many entrances there were."""
    told: int
    """Rightly or wrongly."""
    onset_f1: float
    onset_offset_f1: float
    delays_s: tuple[float, ...]
    """From each true onset that was told of to the end of the window that showed it, ascending."""

    @property
    def right(self) -> int:
        """How many of the events told are right by their onset: those that have a delay."""
        return len(self.delays_s)


def score_events(concerts: Sequence[tuple[Sequence[Played], Sequence[Told]]]) -> EventScores:
    """Figures over all concerts: pairs are counted in each, and added up."""
    begun = [pair for played, told in concerts for pair in _matched(played, told, whole=False)]
    whole = sum(len(_matched(played, told, whole=True)) for played, told in concerts)
    count = sum(len(played) for played, _ in concerts)
    told = sum(len(told) for _, told in concerts)
    return EventScores(
        played=count,
        told=told,
        onset_f1=_f1(len(begun), count, told),
        onset_offset_f1=_f1(whole, count, told),
        delays_s=tuple(sorted(round(event.known_s - true.start_s, 3) for true, event in begun)),
    )


def _f1(right: int, played: int, told: int) -> float:
    return 2 * right / (played + told) if played + told else 1.0


def _matched(played: Sequence[Played], told: Sequence[Told], *, whole: bool) -> list[tuple[Played, Told]]:
    """As many pairs as possible, each event in one (Kuhn's augmenting paths)."""
    taken: dict[int, int] = {}

    def place(one: int, seen: set[int]) -> bool:
        for other, event in enumerate(told):
            if other not in seen and _agree(played[one], event, whole=whole):
                seen.add(other)
                if other not in taken or place(taken[other], seen):
                    taken[other] = one
                    return True
        return False

    for one in range(len(played)):
        place(one, set())
    return [(played[one], told[other]) for other, one in sorted(taken.items())]


def _agree(true: Played, event: Told, *, whole: bool) -> bool:
    if true.label != event.label or abs(true.start_s - event.start_s) > COLLAR_S:
        return False
    slack = max(COLLAR_S, OFFSET_SHARE * (true.end_s - true.start_s))
    return not whole or abs(true.end_s - event.end_s) <= slack
