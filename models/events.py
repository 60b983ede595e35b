"""Events from probabilities: what a card's thresholds and hysteresis mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from whoplays.models.card import Hysteresis

DEFAULT_HYSTERESIS: Final = Hysteresis()


class EventTransition(NamedTuple):
    """An instrument enters or leaves."""

    id: int
    """Counts events since the session began; the same at onset and offset."""
    label: str
    phase: Literal["start", "end"]
    at: int
    """Sample index of the onset or offset."""
    peak: float
    """Largest probability so far, in [0, 1]."""


@dataclass(slots=True)
class _Event:
    id: int
    peak: float
    end: int


class EventDetector:
    """Applies per-label thresholds with hysteresis to one session's windows, in order.

    Args:
        labels: English names, in the model's output order.
        thresholds: at or above its threshold a label is active; in the same order.
        hysteresis: how far above its threshold a label enters, and how far below it leaves, so that a wavering
            probability is one event.
    """

    def __init__(
        self, labels: Sequence[str], thresholds: Sequence[float], hysteresis: Hysteresis = DEFAULT_HYSTERESIS
    ) -> None:
        self._hysteresis: Final = hysteresis
        self._thresholds: Final = dict(zip(labels, thresholds, strict=True))
        self._playing: Final[dict[str, _Event]] = {}
        self._count = 0

    def active(self, probabilities: Mapping[str, float]) -> dict[str, bool]:
        """Whether each label is at or above its threshold."""
        return {label: value >= self._thresholds[label] for label, value in probabilities.items()}

    def update(self, start: int, end: int, probabilities: Mapping[str, float]) -> Iterator[EventTransition]:
        """Onsets and offsets that the window from sample `start` to `end` (half open) brings.

        Args:
            start: sample index of the window's first sample.
            end: sample index after its last one.
            probabilities: of every label, in [0, 1].
        """
        for label, threshold in self._thresholds.items():
            value = probabilities[label]
            before = label in self._playing
            plays = self._hysteresis.plays(value, threshold, before=before)
            if plays and not before:
                yield self._enter(label, start, value)
            if before and not plays:
                yield self._leave(label)
            if event := self._playing.get(label):
                event.end = end
                event.peak = max(event.peak, value)

    def finish(self) -> Iterator[EventTransition]:
        """An offset for each label that still plays: the session is over."""
        for label in list(self._playing):
            yield self._leave(label)

    def _enter(self, label: str, start: int, value: float) -> EventTransition:
        event = self._playing[label] = _Event(self._count, value, start)
        self._count += 1
        return EventTransition(event.id, label, "start", start, value)

    def _leave(self, label: str) -> EventTransition:
        event = self._playing.pop(label)
        return EventTransition(event.id, label, "end", event.end, event.peak)
