"""How well detected events agree with those that were played.

Source: Mesaros, Heittola, Virtanen, "Metrics for Polyphonic Sound Event Detection" (Applied Sciences 2016): an onset is
right if there is a reference onset of its label within a collar of it; so is an offset. Each is matched with one at
most, so that as many as possible are right.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from whoplays.models.card import Frames, Hysteresis

COLLARS_S: Final = (0.5, 1.0, 1.5)


class ReferenceEvent(NamedTuple):
    """An instrument that played, from when to when."""

    label: str
    start_s: float
    end_s: float


class DetectedEvent(NamedTuple):
    """An event that was detected, and when its onset and its offset were known."""

    label: str
    start_s: float
    end_s: float
    start_known_s: float
    """The end of the window that showed its onset."""
    end_known_s: float


class EventScores(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one or more concerts together."""

    references: int
    """How many events were played."""
    detections: int
    """How many events were detected, rightly or not."""
    onset_f1: tuple[float, ...]
    """For each of `COLLARS_S`."""
    offset_f1: tuple[float, ...]
    onset_delays_s: tuple[float, ...]
    """From each reference onset that was detected within the widest collar until it was known, ascending."""
    offset_delays_s: tuple[float, ...]


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What events follow from, beside thresholds; as on a card."""

    hysteresis: Hysteresis
    frames: Frames | None = None


class EventsRow(msgspec.Struct, frozen=True, kw_only=True):
    """Scores at one hop."""

    fitted_to_others: bool
    """Whether each model's settings were fitted to the concerts of the others; else all have those on the result."""
    hop_s: int
    scores: EventScores


class EventReport(msgspec.Struct, kw_only=True):
    """What `whoplays bench events --json` keeps beside a run, in `events.json`."""

    concerts: int
    settings: EventSettings
    """Those that are fitted to all of the concerts."""
    rows: tuple[EventsRow, ...]


class _Moment(NamedTuple):
    """An onset or offset, and when it was known."""

    at_s: float
    known_s: float


_ByLabel = dict[str, list[_Moment]]
_Concerts = Sequence[tuple[Sequence[ReferenceEvent], Sequence[DetectedEvent]]]


def score_events(concerts: _Concerts) -> EventScores:
    """Figures over all concerts: events are matched within each, and counts added up."""
    references = sum(len(reference) for reference, _ in concerts)
    detections = sum(len(detected) for _, detected in concerts)
    onsets = [
        (
            _by_label((event.label, event.start_s, event.start_s) for event in reference),
            _by_label((event.label, event.start_s, event.start_known_s) for event in detected),
        )
        for reference, detected in concerts
    ]
    offsets = [
        (
            _by_label((event.label, event.end_s, event.end_s) for event in reference),
            _by_label((event.label, event.end_s, event.end_known_s) for event in detected),
        )
        for reference, detected in concerts
    ]
    return EventScores(
        references=references,
        detections=detections,
        onset_f1=tuple(_f1(len(_delays(onsets, collar)), references, detections) for collar in COLLARS_S),
        offset_f1=tuple(_f1(len(_delays(offsets, collar)), references, detections) for collar in COLLARS_S),
        onset_delays_s=tuple(sorted(_delays(onsets, COLLARS_S[-1]))),
        offset_delays_s=tuple(sorted(_delays(offsets, COLLARS_S[-1]))),
    )


def _by_label(moments: Iterable[tuple[str, float, float]]) -> _ByLabel:
    grouped: _ByLabel = {}
    for label, at_s, known_s in moments:
        grouped.setdefault(label, []).append(_Moment(at_s, known_s))
    return {label: sorted(own) for label, own in grouped.items()}


def _f1(matches: int, references: int, detections: int) -> float:
    return 2 * matches / (references + detections) if references + detections else 1.0


def _delays(concerts: Iterable[tuple[_ByLabel, _ByLabel]], collar_s: float) -> list[float]:
    """From each reference moment that was detected until it was known."""
    return [
        round(detected.known_s - reference.at_s, 3)
        for references, detections in concerts
        for label, own in references.items()
        for reference, detected in _match(own, detections.get(label, []), collar_s)
    ]


def _match(
    references: Sequence[_Moment], detections: Sequence[_Moment], collar_s: float
) -> Iterable[tuple[_Moment, _Moment]]:
    """As many pairs as possible, each moment in one: both are in order, so the first that fits is never a loss."""
    waiting = iter(detections)
    detected = next(waiting, None)
    for reference in references:
        while detected and detected.at_s < reference.at_s - collar_s:
            detected = next(waiting, None)
        if detected and detected.at_s <= reference.at_s + collar_s:
            yield reference, detected
            detected = next(waiting, None)
