"""From windows that are ready to predictions: gathered over all streams, inferred together."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from whoplays.models.errors import ModelError, ProviderError, SourceError
from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.models.spectrogram import BANDS, FRAMES
from whoplays.stream.audio.block import Audio
from whoplays.stream.pipeline.recognizer import Recognizer, Windows
from whoplays.stream.pipeline.results import Invalid, Prediction
from whoplays.stream.pipeline.stream import Stream
from whoplays.stream.pipeline.windower import Skipped, WindowRef

Result = Prediction | Invalid | Skipped
_FAILURES: Final = (ModelError, ProviderError, SourceError)


class Batcher:
    """Infers what is ready and never waits for more, in rows that are allocated once.

    Streams take turns, a window each; whose newest window was taken first is the next. So no stream, however short its
    hop or far behind, keeps another waiting.

    Args:
        recognizer: runs the batches; only batch sizes that it has warmed are used.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer: Final = recognizer
        self._sizes: Final = recognizer.warmed
        self._audio: Final = np.empty((self._sizes[-1], CHANNELS, WINDOW_SAMPLES), np.float32)
        self._spectrograms: Final = np.empty((self._sizes[-1], FRAMES, BANDS), np.float32)
        self._turn = 0
        self.took_ns = 0
        """How long the newest inference took."""

    def run(self, streams: Sequence[Stream]) -> Iterator[tuple[Stream, Result]]:
        """One batch of the windows that are ready, and the samples of which no window could be taken.

        Args:
            streams: all of this recogniser.

        Yields:
            Each result with its stream, in order within a stream.

        Raises:
            ModelError: the graph fails, on silence too.
            ProviderError: so does the provider.
        """
        turns = list(self._turns(streams))
        # Windows of one kind: those of another are the next batch.
        framed = bool(turns) and turns[0].session.spectrogram is not None
        rows = self._spectrograms if framed else self._audio
        taken = self._gather([each for each in turns if (each.session.spectrogram is not None) == framed], rows)
        results = self._infer([each for _, each in taken if isinstance(each, WindowRef)], rows, time.monotonic_ns())
        for stream, each in taken:
            yield stream, next(results) if isinstance(each, WindowRef) else each

    def _gather(self, turns: Sequence[Stream], rows: Windows) -> list[tuple[Stream, WindowRef | Skipped]]:
        """The largest warmed batch that is ready."""
        taken: list[tuple[Stream, WindowRef | Skipped]] = []
        windows = 0
        for stream in turns[: self._size(len(turns))]:
            taken += [(stream, each) for each in self._take(stream, rows[windows])]
            windows = sum(isinstance(each, WindowRef) for _, each in taken)
        return taken

    def _turns(self, streams: Sequence[Stream]) -> Iterator[Stream]:
        """Whose window is next, until all that are ready have had their turn or the largest batch is full."""
        waiting = [(stream, stream.session.ready) for stream in sorted(streams, key=lambda stream: stream.turn)]
        for turn in range(min(self._sizes[-1], max((ready for _, ready in waiting), default=0))):
            yield from (stream for stream, ready in waiting if ready > turn)

    def _take(self, stream: Stream, row: Audio) -> Iterator[WindowRef | Skipped]:
        """A window, and before it what was skipped: a stream that has fallen behind gets its turn all the same."""
        self._turn += 1
        stream.turn = self._turn
        taken = stream.session.take(row)
        if isinstance(taken, Skipped):
            yield taken
            taken = stream.session.take(row)
        if taken:
            yield taken

    def _size(self, ready: int) -> int:
        return max((size for size in self._sizes if size <= ready), default=0)

    def _infer(self, windows: Sequence[WindowRef], rows: Windows, ready_ns: int) -> Iterator[Prediction | Invalid]:
        if not windows:
            return
        start_ns = time.monotonic_ns()
        found = self._recognize(rows[: len(windows)])
        end_ns = time.monotonic_ns()
        self.took_ns = end_ns - start_ns
        for window, row in zip(windows, found, strict=True):
            if row is None:
                yield Invalid(window)
            else:
                yield Prediction(window, *row, ready_ns, start_ns, end_ns, len(windows))

    def _recognize(self, windows: Windows) -> list[tuple[Audio, Audio | None] | None]:
        """The probabilities of each window, and those within it; None of one that the model cannot judge."""
        try:
            probabilities, frames = self.recognizer.infer(windows)
        except _FAILURES:
            # If it is the model or the provider, and no window, this raises as well.
            self.recognizer.infer(np.zeros_like(windows))
            return [self._recognize_alone(window, len(windows)) for window in windows]
        return [(row, None if frames is None else frames[place]) for place, row in enumerate(probabilities)]

    def _recognize_alone(self, window: Audio, batch: int) -> tuple[Audio, Audio | None] | None:
        windows = np.zeros((batch, *window.shape), np.float32)
        windows[0] = window
        try:
            probabilities, frames = self.recognizer.infer(windows)
        except _FAILURES:
            return None
        return probabilities[0], None if frames is None else frames[0]
