"""Events from probabilities: what a card's thresholds, hysteresis and frames mean."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.models.card import Frames, Hysteresis

DEFAULT_HYSTERESIS: Final = Hysteresis()
_NEVER: Final = np.iinfo(np.int64).max
_CELL_SAMPLES: Final = 4_410
"""Windows that overlap have steps at different places; their means are taken in cells of a tenth of a second."""


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


class EventDetector(ABC):
    """Applies per-label thresholds with hysteresis to one session's windows, in order. Make one with `detector`.

    Args:
        labels: English names, in the model's output order.
        thresholds: at or above its threshold a label is active; in the same order.
        hysteresis: how far above its threshold a label enters, and how far below it leaves, so that a wavering
            probability is one event.
    """

    def __init__(self, labels: Sequence[str], thresholds: Sequence[float], hysteresis: Hysteresis) -> None:
        self._hysteresis: Final = hysteresis
        self._thresholds: Final = dict(zip(labels, thresholds, strict=True))
        self._playing: Final[dict[str, _Event]] = {}
        self._count = 0

    def active(self, probabilities: Mapping[str, float]) -> dict[str, bool]:
        """Whether each label is at or above its threshold."""
        return {label: value >= self._thresholds[label] for label, value in probabilities.items()}

    @abstractmethod
    def update(
        self, start: int, end: int, probabilities: Mapping[str, float], frames: NDArray[np.float32] | None = None, /
    ) -> Iterator[EventTransition]:
        """Onsets and offsets that the window from sample `start` to `end` (half open) brings.

        Args:
            start: sample index of the window's first sample.
            end: sample index after its last one.
            probabilities: of every label, in [0, 1].
            frames: of a model that has them, `float32 [steps, labels]`, the same within the window.
        """

    def finish(self) -> Iterator[EventTransition]:
        """An offset for each label that still plays: the session is over."""
        for label, event in list(self._playing.items()):
            yield self._leave(label, event.end)

    def _enter(self, label: str, at: int, peak: float) -> EventTransition:
        self._playing[label] = _Event(self._count, peak, at)
        self._count += 1
        return EventTransition(self._count - 1, label, "start", at, peak)

    def _leave(self, label: str, at: int) -> EventTransition:
        event = self._playing.pop(label)
        return EventTransition(event.id, label, "end", at, event.peak)


class _WindowDetector(EventDetector):
    """A label enters at the beginning of the first window that shows it, and leaves at the end of the last one."""

    def update(
        self, start: int, end: int, probabilities: Mapping[str, float], _frames: NDArray[np.float32] | None = None, /
    ) -> Iterator[EventTransition]:
        """See `EventDetector.update`."""
        for label, threshold in self._thresholds.items():
            value = probabilities[label]
            before = label in self._playing
            plays = self._hysteresis.plays(value, threshold, before=before)
            if plays and not before:
                yield self._enter(label, start, value)
            if before and not plays:
                yield self._leave(label, self._playing[label].end)
            if event := self._playing.get(label):
                event.end = end
                event.peak = max(event.peak, value)


class _FrameDetector(EventDetector):
    """A label enters in the cell in which it begins to play, once it has played on for long enough; so it leaves.

    A cell's probability is the mean of all steps so far that cover it, and is decided on once a window reaches far
    enough beyond it: what a window says of its last moments is the least certain.
    """

    def __init__(
        self, labels: Sequence[str], thresholds: Sequence[float], hysteresis: Hysteresis, frames: Frames
    ) -> None:
        super().__init__(labels, thresholds, hysteresis)
        self._frames: Final = frames
        self._labels: Final = tuple(labels)
        self._enters_at: Final = np.array([hysteresis.enters_at(each) for each in thresholds])
        self._leaves_below: Final = np.array([hysteresis.leaves_below(each) for each in thresholds])
        self._plays: Final = np.zeros(len(labels), np.bool_)
        self._since: Final = np.full(len(labels), _NEVER)
        """The cell from which on a label's cells say the opposite of what holds."""
        self._peaks: Final = np.zeros(len(labels))
        """The largest probability since then."""
        self._sums: Final[deque[NDArray[np.float64]]] = deque()
        self._counts: Final[deque[int]] = deque()
        self._next = 0
        """The first cell that is not decided, and the first of those that are kept."""

    def update(
        self, start: int, end: int, probabilities: Mapping[str, float], frames: NDArray[np.float32] | None = None, /
    ) -> Iterator[EventTransition]:
        """See `EventDetector.update`."""
        if frames is not None:
            self._add(start, end, frames)
        for label, event in self._playing.items():
            event.peak = max(event.peak, probabilities[label])
        yield from self._decide(until=end - self._frames.delay_samples)

    def finish(self) -> Iterator[EventTransition]:
        """Decide on what is left, then an offset for each label that still plays."""
        yield from self._decide(until=(self._next + len(self._sums)) * _CELL_SAMPLES)
        yield from super().finish()

    def _add(self, start: int, end: int, frames: NDArray[np.float32]) -> None:
        """Add a window's steps to the cells whose middles they cover."""
        first = max(-(-start // _CELL_SAMPLES), self._next)
        cells = np.arange(first, end // _CELL_SAMPLES)
        while len(self._sums) < cells.size + first - self._next:
            self._sums.append(np.zeros(frames.shape[1]))
            self._counts.append(0)
        middles = (cells + 0.5) * _CELL_SAMPLES - start - self._frames.first_sample
        steps = np.clip(middles // self._frames.step_samples, 0, len(frames) - 1).astype(int)
        for cell, row in zip(cells - self._next, frames[steps].astype(np.float64), strict=True):
            self._sums[cell] += row
            self._counts[cell] += 1

    def _decide(self, until: int) -> Iterator[EventTransition]:
        while self._sums and (self._next + 1) * _CELL_SAMPLES <= until:
            total, count = self._sums.popleft(), self._counts.popleft()
            at, self._next = self._next * _CELL_SAMPLES, self._next + 1
            if count:  # what no window covered says nothing: what held still holds
                yield from self._step(at, total / count)
        if not self._sums:
            self._next = max(self._next, until // _CELL_SAMPLES)

    def _step(self, at: int, values: NDArray[np.float64]) -> Iterator[EventTransition]:
        """One cell: a label changes once its cells have said so for long enough, from the first of them on."""
        changes = np.where(self._plays, values < self._leaves_below, values >= self._enters_at)
        self._peaks[:] = np.where(changes, np.maximum(values, self._peaks), 0.0)
        self._since[:] = np.where(changes, np.minimum(self._since, at), _NEVER)
        needed = np.where(self._plays, self._frames.leave_samples, self._frames.enter_samples)
        for index in np.flatnonzero(changes & (at + _CELL_SAMPLES - self._since >= needed)):
            label, since = self._labels[index], int(self._since[index])
            if self._plays[index]:
                yield self._leave(label, since)
            else:
                yield self._enter(label, since, float(self._peaks[index]))
            self._plays[index] ^= True
            self._since[index], self._peaks[index] = _NEVER, 0.0
        for label in self._playing:
            self._playing[label].end = at + _CELL_SAMPLES


def detector(
    labels: Sequence[str],
    thresholds: Sequence[float],
    hysteresis: Hysteresis = DEFAULT_HYSTERESIS,
    frames: Frames | None = None,
) -> EventDetector:
    """The detector of a model: by the steps within its windows if it has them, else by its windows."""
    if frames:
        return _FrameDetector(labels, thresholds, hysteresis, frames)
    return _WindowDetector(labels, thresholds, hysteresis)
