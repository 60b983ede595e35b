"""How well detected events agree with those that were played.

Source: Mesaros, Heittola, Virtanen, "Metrics for Polyphonic Sound Event Detection" (Applied Sciences 2016), and its
implementation sed_eval: a detected event is right if its label is, and its onset lies within a collar of the reference
onset; for the stricter figure its offset too, within the collar or half of the reference event's length, whichever is
longer. Events are matched so that as many as possible are right.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

COLLAR_S: Final = 1.5
"""Half of a window: the onset of an event that begins within a window is the start of that window."""
OFFSET_SHARE: Final = 0.5


class ReferenceEvent(NamedTuple):
    """An instrument that played, from when to when."""

    label: str
    start_s: float
    end_s: float


class DetectedEvent(NamedTuple):
    """An event that was detected, and the end of the window that showed its onset."""

    label: str
    start_s: float
    end_s: float
    shown_s: float


class EventScores(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one or more concerts together."""

    references: int = msgspec.field(name="played")
    """How many events were played."""
    detections: int = msgspec.field(name="told")
    """How many events were detected, rightly or not."""
    onset_f1: float
    onset_offset_f1: float
    delays_s: tuple[float, ...]
    """From each reference onset that was detected to the end of the window that showed it, ascending."""

    @property
    def matches(self) -> int:
        """How many detected events are right by their onset: those that have a delay."""
        return len(self.delays_s)


def score_events(concerts: Sequence[tuple[Sequence[ReferenceEvent], Sequence[DetectedEvent]]]) -> EventScores:
    """Figures over all concerts: events are matched within each, and counts added up."""
    by_onset = [pair for concert in concerts for pair in _match(*concert, with_offset=False)]
    by_both = sum(len(_match(*concert, with_offset=True)) for concert in concerts)
    references = sum(len(reference) for reference, _ in concerts)
    detections = sum(len(detected) for _, detected in concerts)
    return EventScores(
        references=references,
        detections=detections,
        onset_f1=_f1(len(by_onset), references, detections),
        onset_offset_f1=_f1(by_both, references, detections),
        delays_s=tuple(sorted(round(detected.shown_s - reference.start_s, 3) for reference, detected in by_onset)),
    )


def _f1(matches: int, references: int, detections: int) -> float:
    return 2 * matches / (references + detections) if references + detections else 1.0


def _match(
    references: Sequence[ReferenceEvent], detections: Sequence[DetectedEvent], *, with_offset: bool
) -> list[tuple[ReferenceEvent, DetectedEvent]]:
    """As many pairs as possible, each event in one (Kuhn's augmenting paths)."""
    reference_of: dict[int, int] = {}

    def assign(reference: int, tried: set[int]) -> bool:
        for detection, event in enumerate(detections):
            if detection not in tried and _agree(references[reference], event, with_offset=with_offset):
                tried.add(detection)
                if detection not in reference_of or assign(reference_of[detection], tried):
                    reference_of[detection] = reference
                    return True
        return False

    for reference in range(len(references)):
        assign(reference, set())
    return [(references[reference], detections[detection]) for detection, reference in sorted(reference_of.items())]


def _agree(reference: ReferenceEvent, detected: DetectedEvent, *, with_offset: bool) -> bool:
    if reference.label != detected.label or abs(reference.start_s - detected.start_s) > COLLAR_S:
        return False
    collar_s = max(COLLAR_S, OFFSET_SHARE * (reference.end_s - reference.start_s))
    return not with_offset or abs(reference.end_s - detected.end_s) <= collar_s
