"""From inferred windows to the messages about them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.errors import ModelError
from stream.batcher import Batch
from stream.clock import SampleClock, wall_ns
from stream.decider import Change, Decider
from stream.level import Level, measure
from stream.messages import Event, Gap, Message, Quality, Timing, Window
from stream.recognizer import Recognizer
from stream.ring import Audio
from stream.session import Session
from stream.source import ClockKind
from stream.windower import Missed, Span


@dataclass(frozen=True, slots=True)
class Inferred:
    """A batch with what the recogniser made of it."""

    batch: Batch
    probabilities: Audio
    """`[n, labels]` float32 in [0, 1]."""
    start_ns: int
    """Monotonic time at which inference began."""
    end_ns: int


class Judge:
    """Says of each of one stream's windows who plays, and keeps count.

    Args:
        session: numbers the messages.
        recognizer: whose labels and thresholds count.
        clock: when the samples were heard.
        clock_kind: what those times are made of.
        silence_dbfs: below this level nobody plays.
    """

    def __init__(
        self,
        session: Session,
        recognizer: Recognizer,
        clock: SampleClock,
        clock_kind: ClockKind,
        silence_dbfs: float,
    ) -> None:
        self.windows = 0
        self.gaps = 0
        self.lost_samples = 0
        self.lag_ns = 0
        """From the close of the newest window to the end of its inference."""
        self.silent = False
        """Whether the newest window was silent."""
        self._session = session
        self._model: Final = recognizer.card.name
        self._labels: Final = recognizer.labels
        self._decider: Final = Decider(recognizer.labels, recognizer.thresholds, recognizer.card.hysteresis)
        self._clock = clock
        self._clock_kind = clock_kind
        self._silence_dbfs = silence_dbfs

    def judge(self, inferred: Inferred) -> Iterator[Message]:
        """A `window` for each window, and an `event` for each change that it brings."""
        batch = inferred.batch
        for span, audio, row in zip(batch.spans, batch.audio, inferred.probabilities, strict=True):
            level = measure(audio)
            self.silent = level.dbfs < self._silence_dbfs
            probabilities = self._named(np.zeros_like(row) if self.silent else row, span)
            yield self._window(span, level, probabilities, inferred)
            yield from self._events(self._decider.follow(span, probabilities))

    def gap(self, missed: Missed) -> Gap:
        """A `gap` for samples that were overwritten before they were judged."""
        self.gaps += 1
        self.lost_samples += missed.end - missed.start
        return Gap(**self._session.head(Gap), start=missed.start, end=missed.end, cause="overload")

    def finish(self) -> Iterator[Event]:
        """An `event` for everyone who still plays: the stream is over."""
        yield from self._events(self._decider.finish())

    def _named(self, row: Audio, span: Span) -> dict[str, float]:
        if not np.isfinite(row).all():
            raise ModelError(
                f"model {self._model} returned no number for samples {span.start} to {span.end}; replace it"
            )
        return dict(zip(self._labels, row.astype(np.float64).round(6).tolist(), strict=True))

    def _window(self, span: Span, level: Level, probabilities: dict[str, float], inferred: Inferred) -> Window:
        closed_ns = self._clock.heard_ns(span.end)
        self.windows += 1
        self.lag_ns = inferred.end_ns - closed_ns
        return Window(
            **self._session.head(Window),
            start=span.start,
            end=span.end,
            closed_ns=wall_ns(closed_ns),
            clock=self._clock_kind,
            probabilities=probabilities,
            active=self._decider.active(probabilities),
            quality=Quality(dbfs=level.dbfs, clipped=level.clipped, silent=self.silent, lost_samples=0),
            timing=Timing(
                ready_ns=inferred.batch.ready_ns - closed_ns,
                infer_start_ns=inferred.start_ns - closed_ns,
                infer_end_ns=self.lag_ns,
                batch=len(inferred.batch.spans),
                queue=inferred.batch.queue,
            ),
        )

    def _events(self, changes: Iterable[Change]) -> Iterator[Event]:
        for change in changes:
            yield Event(**self._session.head(Event), **change._asdict())
