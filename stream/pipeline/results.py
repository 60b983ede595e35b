"""From inferred windows to the messages about them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from whoplays.models.errors import ModelError
from whoplays.models.events import EventDetector, EventTransition
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.level import Level, measure
from whoplays.stream.common.clock import ClockKind, wall_ns
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.windower import Span
from whoplays.stream.pubsub.messages import Event, Message, Quality, Timing, Window
from whoplays.stream.pubsub.sequencer import MessageSequencer


class Prediction(NamedTuple):
    """A window with what the recogniser made of it."""

    span: Span
    audio: Audio
    """`[channels, samples]` float32 in [-1, 1]."""
    probabilities: Audio
    """`[labels]` float32 in [0, 1]."""
    closed_ns: int
    """Monotonic time at which its last sample was heard."""
    lost_samples: int
    """How many of its samples were invented."""
    ready_ns: int
    """Monotonic time at which it was taken from the ring."""
    start_ns: int
    """Monotonic time at which inference began."""
    end_ns: int
    batch: int
    """Windows inferred together."""
    queue: int
    """Windows of the stream that still waited."""


class ResultBuilder:
    """Says of each of one session's windows who plays, and keeps count.

    Args:
        sequencer: numbers the messages.
        recognizer: whose labels count.
        thresholds: per label; the recogniser's if there are none.
        silence_dbfs: below this level nobody plays.
    """

    def __init__(
        self, sequencer: MessageSequencer, recognizer: Recognizer, thresholds: Sequence[float], silence_dbfs: float
    ) -> None:
        self.windows = 0
        self.lag_ns = 0
        """From the close of the newest window to the end of its inference."""
        self.silent = False
        """Whether the newest window was silent."""
        self.clock_kind: ClockKind = "arrival"
        """What the times at which windows close are made of."""
        self.thresholds: Final = tuple(thresholds) or recognizer.thresholds
        self._sequencer = sequencer
        self._model: Final = recognizer.card.name
        self._labels: Final = recognizer.labels
        self._decider: Final = EventDetector(recognizer.labels, self.thresholds, recognizer.card.hysteresis)
        self._silence_dbfs = silence_dbfs

    def judge(self, inferred: Prediction) -> Iterator[Message]:
        """A `window`, and an `event` for each change that it brings."""
        level = measure(inferred.audio)
        self.silent = level.dbfs < self._silence_dbfs
        row = inferred.probabilities
        probabilities = self._named(np.zeros_like(row) if self.silent else row, inferred.span)
        yield self._window(inferred, level, probabilities)
        yield from self._events(self._decider.update(*inferred.span, probabilities))

    def finish(self) -> Iterator[Event]:
        """An `event` for everyone who still plays: the session is over."""
        yield from self._events(self._decider.finish())

    def _named(self, row: Audio, span: Span) -> dict[str, float]:
        if not np.isfinite(row).all():
            raise ModelError(
                f"model {self._model} returned no number for samples {span.start} to {span.end}; replace it"
            )
        return dict(zip(self._labels, row.astype(np.float64).round(6).tolist(), strict=True))

    def _window(self, inferred: Prediction, level: Level, probabilities: dict[str, float]) -> Window:
        closed_ns = inferred.closed_ns
        self.windows += 1
        self.lag_ns = inferred.end_ns - closed_ns
        return Window(
            **self._sequencer.head(Window),
            start=inferred.span.start,
            end=inferred.span.end,
            closed_ns=wall_ns(closed_ns),
            clock=self.clock_kind,
            probabilities=probabilities,
            active=self._decider.active(probabilities),
            quality=Quality(
                dbfs=level.dbfs, clipped=level.clipped, silent=self.silent, lost_samples=inferred.lost_samples
            ),
            timing=Timing(
                ready_ns=inferred.ready_ns - closed_ns,
                infer_start_ns=inferred.start_ns - closed_ns,
                infer_end_ns=self.lag_ns,
                batch=inferred.batch,
                queue=inferred.queue,
            ),
        )

    def _events(self, changes: Iterable[EventTransition]) -> Iterator[Event]:
        for change in changes:
            yield Event(**self._sequencer.head(Event), **change._asdict())
