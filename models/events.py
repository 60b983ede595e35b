"""From probabilities to who enters and who leaves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from whoplays.models.card import Hysteresis
from whoplays.stream.pipeline.windower import Span

USUAL: Final = Hysteresis()


class EventTransition(NamedTuple):
    """An instrument enters or leaves."""

    id: int
    label: str
    phase: Literal["start", "end"]
    at: int
    peak: float


@dataclass(slots=True)
class _Appearance:
    id: int
    peak: float
    until: int


class EventDetector:
    """Applies per-label thresholds with hysteresis to one stream's windows, in their order.

    Args:
        labels: English names, in the model's output order.
        thresholds: at or above its threshold a label is active; in the same order.
        hysteresis: who enters must be as sure as it says, and plays on for as long as it says, so that a wavering
            probability is one event.
    """

    def __init__(self, labels: Sequence[str], thresholds: Sequence[float], hysteresis: Hysteresis = USUAL) -> None:
        self._hysteresis: Final = hysteresis
        self._thresholds: Final = dict(zip(labels, thresholds, strict=True))
        self._playing: Final[dict[str, _Appearance]] = {}
        self._count = 0

    def active(self, probabilities: dict[str, float]) -> dict[str, bool]:
        """Whether each label is at or above its threshold."""
        return {label: value >= self._thresholds[label] for label, value in probabilities.items()}

    def follow(self, span: Span, probabilities: dict[str, float]) -> Iterator[EventTransition]:
        """Who enters or leaves with this window."""
        for label, threshold in self._thresholds.items():
            value = probabilities[label]
            if label not in self._playing and value >= self._hysteresis.enters_at(threshold):
                yield self._enter(label, span, value)
            if label in self._playing and value < self._hysteresis.leaves_below(threshold):
                yield self._leave(label)
            self._go_on(label, span, value)

    def finish(self) -> Iterator[EventTransition]:
        """Everyone who still plays leaves: the stream is over."""
        for label in list(self._playing):
            yield self._leave(label)

    def _enter(self, label: str, span: Span, value: float) -> EventTransition:
        self._playing[label] = _Appearance(self._count, value, span.end)
        self._count += 1
        return EventTransition(self._count - 1, label, "start", span.start, value)

    def _go_on(self, label: str, span: Span, value: float) -> None:
        """Whoever plays now has played through this window."""
        appearance = self._playing.get(label)
        if appearance is not None:
            appearance.until = span.end
            appearance.peak = max(appearance.peak, value)

    def _leave(self, label: str) -> EventTransition:
        appearance = self._playing.pop(label)
        return EventTransition(appearance.id, label, "end", appearance.until, appearance.peak)
