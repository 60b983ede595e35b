"""Gathering windows that are inferred together, of all streams."""

import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from whoplays.stream.audio.block import Audio
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Prediction
from whoplays.stream.pipeline.session import Session
from whoplays.stream.pipeline.windower import Skipped, Span


class WindowRef(NamedTuple):
    """A window in a batch."""

    session: Session
    span: Span
    closed_ns: int
    """Monotonic time at which its last sample was heard."""


class Loss(NamedTuple):
    """What was missed of a stream, after its windows in the batch."""

    session: Session
    missed: Skipped


class Batch(NamedTuple):
    """Windows to be inferred together, of each stream in the order in which they were heard."""

    audio: Audio
    """`[n, channels, samples]`, valid until the next batch is gathered."""
    pieces: tuple[WindowRef, ...]
    losses: tuple[Loss, ...]
    ready_ns: int
    """Monotonic time at which the gathering was done."""


class Batcher:
    """Gathers what is ready and never waits for more, into rows that are allocated once.

    Streams take turns, a window each, and who was first is last the next time: so no stream, however fast its hop or
    far behind, keeps another waiting.

    Args:
        channels: of a window.
        window_samples: of a window.
        sizes: the batch sizes that the recogniser has warmed, ascending, from 1.
    """

    def __init__(self, channels: int, window_samples: int, sizes: tuple[int, ...]) -> None:
        self._sizes: Final = sizes
        self._rows: Final = np.empty((sizes[-1], channels, window_samples), np.float32)
        self._turn = 0

    def gather(self, sessions: Sequence[Session]) -> Batch:
        """Take the largest warmed batch that is ready; of a stream that missed something, only what came before."""
        turns = list(self._turns(sessions))
        pieces: list[WindowRef] = []
        losses: list[Loss] = []
        for session in turns[: self._size(len(turns))]:
            if any(loss.session is session for loss in losses):
                continue
            taken = session.take(self._rows[len(pieces)])
            if isinstance(taken, Span):
                pieces.append(WindowRef(session, taken, session.clock.captured_at_ns(taken.end)))
            elif taken:
                losses.append(Loss(session, taken))
        return Batch(self._rows[: len(pieces)], tuple(pieces), tuple(losses), time.monotonic_ns())

    def _turns(self, sessions: Sequence[Session]) -> Iterator[Session]:
        """Whose window is next, until all that are ready have had their turn or the largest batch is full."""
        self._turn += 1
        first = self._turn % max(1, len(sessions))
        waiting = [(session, session.windower.ready) for session in (*sessions[first:], *sessions[:first])]
        for turn in range(min(self._sizes[-1], max((ready for _, ready in waiting), default=0))):
            yield from (session for session, ready in waiting if ready > turn)

    def _size(self, ready: int) -> int:
        return max((size for size in self._sizes if size <= ready), default=0)


def infer(batch: Batch, recognizer: Recognizer) -> Iterator[tuple[Session, Prediction]]:
    """Each window of a batch with what the recogniser makes of it, and whose it is."""
    if not batch.pieces:
        return
    start_ns = time.monotonic_ns()
    probabilities = recognizer.recognize(batch.audio)
    end_ns = time.monotonic_ns()
    for (session, span, closed_ns), audio, row in zip(batch.pieces, batch.audio, probabilities, strict=True):
        yield (
            session,
            Prediction(
                span=span,
                audio=audio,
                probabilities=row,
                closed_ns=closed_ns,
                lost_samples=session.holes.within(span.start, span.end),
                ready_ns=batch.ready_ns,
                start_ns=start_ns,
                end_ns=end_ns,
                batch=len(batch.pieces),
                queue=session.windower.ready,
            ),
        )
