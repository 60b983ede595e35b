"""From predictions to the messages about them."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from whoplays.models.events import EventTransition, detector
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.level import Level
from whoplays.stream.common.clock import ClockKind, SampleClock, wall_ns
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.windower import WindowRef
from whoplays.stream.pubsub.messages import Event, Message, MessageSequencer, Playing, Quality, Timing, Window


class Prediction(NamedTuple):
    """A window with the probabilities of its labels."""

    window: WindowRef
    probabilities: Audio
    """`[labels]` float32 in [0, 1]."""
    frames: Audio | None
    """`[steps, labels]` float32 in [0, 1], the same within the window; None of a model that gives none."""
    ready_ns: int
    """Monotonic time at which its batch had been taken from the rings."""
    start_ns: int
    """Monotonic time at which inference began."""
    end_ns: int
    """Monotonic time at which inference ended."""
    batch: int
    """Windows inferred together."""


class Invalid(NamedTuple):
    """A window for which the model returns no probabilities, but fails or returns NaN."""

    window: WindowRef


class ResultBuilder:
    """Builds the messages about one session's windows, and keeps count.

    Args:
        sequencer: numbers the messages.
        recognizer: whose labels count, and whose thresholds and hysteresis, where the options have none.
        options: how the stream is processed; frames only of a model that gives them.
    """

    def __init__(self, sequencer: MessageSequencer, recognizer: Recognizer, options: StreamOptions) -> None:
        self.windows = 0
        self.lag_ns = 0
        """From the close of the newest window to the end of its inference."""
        self.silent = False
        """Whether the newest window was silent."""
        self.clock_kind: ClockKind = "arrival"
        """What the times at which windows close are made of."""
        self.thresholds: Final = options.thresholds or recognizer.thresholds
        self.hysteresis: Final = options.hysteresis(recognizer.card.hysteresis)
        self._sequencer = sequencer
        self._labels: Final = recognizer.labels
        frames = recognizer.card.frames
        self._detector: Final = detector(recognizer.labels, self.thresholds, self.hysteresis, frames)
        self._published_frames: Final = frames if options.frames else None
        self._silence_dbfs: Final = options.silence_dbfs
        self._clock: Final = SampleClock()
        self._playing: Final[dict[str, Playing]] = {}

    @property
    def playing(self) -> tuple[Playing, ...]:
        """Who plays, as the events so far have it."""
        return tuple(self._playing.values())

    def build(self, prediction: Prediction, queue: int) -> Iterator[Message]:
        """A `window`, and an `event` for each onset and offset that it brings.

        Args:
            prediction: the session's next.
            queue: how many windows of the stream still wait.
        """
        window, level = prediction.window, prediction.window.level
        row, frames = prediction.probabilities, prediction.frames
        self.silent = level.dbfs < self._silence_dbfs
        if self.silent:
            row, frames = np.zeros_like(row), None if frames is None else np.zeros_like(frames)
        probabilities = dict(zip(self._labels, _rounded(row), strict=True))
        yield self._window(prediction, queue, level, probabilities, frames)
        yield from self._events(self._detector.update(window.start, window.end, probabilities, frames))

    def finish(self) -> Iterator[Event]:
        """An `event` for each label that still plays: the session is over."""
        yield from self._events(self._detector.finish())

    def _window(
        self, prediction: Prediction, queue: int, level: Level, probabilities: dict[str, float], frames: Audio | None
    ) -> Window:
        window, steps = prediction.window, self._published_frames
        closed_ns = wall_ns(window.closed_ns)
        self._clock.observe(window.end, closed_ns)
        self.windows += 1
        self.lag_ns = prediction.end_ns - window.closed_ns
        return Window(
            **self._sequencer.head(Window),
            start=window.start,
            end=window.end,
            closed_ns=closed_ns,
            clock=self.clock_kind,
            probabilities=probabilities,
            active=self._detector.active(probabilities),
            quality=Quality(
                dbfs=level.dbfs, clipped=level.clipped, silent=self.silent, lost_samples=window.lost_samples
            ),
            timing=Timing(
                ready_ns=prediction.ready_ns - window.closed_ns,
                infer_start_ns=prediction.start_ns - window.closed_ns,
                infer_end_ns=self.lag_ns,
                batch=prediction.batch,
                queue=queue,
            ),
            frames=_rounded(frames) if steps and frames is not None else None,
            step_samples=steps.step_samples if steps else None,
            first_sample=steps.first_sample if steps else None,
        )

    def _events(self, transitions: Iterable[EventTransition]) -> Iterator[Event]:
        for transition in transitions:
            told = transition._replace(peak=round(transition.peak, 6))
            event = Event(**self._sequencer.head(Event), **told._asdict(), at_ns=self._clock.unix_ns(told.at, 0))
            self._note(event)
            yield event

    def _note(self, event: Event) -> None:
        if event.phase == "start":
            self._playing[event.label] = Playing(id=event.id, label=event.label, since=event.at, since_ns=event.at_ns)
        else:
            del self._playing[event.label]


def _rounded(probabilities: Audio) -> Any:
    """As messages carry them: lists of the same shape, to six places."""
    return probabilities.astype(np.float64).round(6).tolist()
