"""From windows that are ready to predictions: gathered over all streams, inferred together."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Prediction
from whoplays.stream.pipeline.stream import Stream
from whoplays.stream.pipeline.windower import Skipped, WindowRef


class Batcher:
    """Infers what is ready and never waits for more, in rows that are allocated once.

    Streams take turns, a window each, and the first is the last next time: so no stream, however short its hop or
    far behind, keeps another waiting.

    Args:
        recognizer: runs the batches; only batch sizes that it has warmed are used.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer: Final = recognizer
        self._sizes: Final = recognizer.warmed
        self._rows: Final = np.empty((self._sizes[-1], CHANNELS, WINDOW_SAMPLES), np.float32)
        self._turn = 0

    def run(self, streams: Sequence[Stream]) -> Iterator[tuple[Stream, Prediction | Skipped]]:
        """One batch of the windows that are ready, then the samples of which no window could be taken.

        Args:
            streams: all of this recogniser.

        Yields:
            Each result with its stream, in order within a stream. A prediction's audio is valid until the next batch.

        Raises:
            ModelError: the graph fails.
            ProviderError: the provider fails.
        """
        windows, skipped = self._gather(streams)
        if windows:
            yield from self._infer(windows, ready_ns=time.monotonic_ns())
        yield from skipped

    def _gather(self, streams: Sequence[Stream]) -> tuple[list[tuple[Stream, WindowRef]], list[tuple[Stream, Skipped]]]:
        """The largest warmed batch that is ready; of a stream that skips samples, only the windows before them."""
        turns = list(self._turns(streams))
        windows: list[tuple[Stream, WindowRef]] = []
        skipped: list[tuple[Stream, Skipped]] = []
        for stream in turns[: self._size(len(turns))]:
            if any(other is stream for other, _ in skipped):
                continue
            taken = stream.session.take(self._rows[len(windows)])
            if isinstance(taken, WindowRef):
                windows.append((stream, taken))
            elif taken:
                skipped.append((stream, taken))
        return windows, skipped

    def _turns(self, streams: Sequence[Stream]) -> Iterator[Stream]:
        """Whose window is next, until all that are ready have had their turn or the largest batch is full."""
        self._turn += 1
        first = self._turn % max(1, len(streams))
        waiting = [(stream, stream.session.ready) for stream in (*streams[first:], *streams[:first])]
        for turn in range(min(self._sizes[-1], max((ready for _, ready in waiting), default=0))):
            yield from (stream for stream, ready in waiting if ready > turn)

    def _size(self, ready: int) -> int:
        return max((size for size in self._sizes if size <= ready), default=0)

    def _infer(self, windows: Sequence[tuple[Stream, WindowRef]], ready_ns: int) -> Iterator[tuple[Stream, Prediction]]:
        audio = self._rows[: len(windows)]
        start_ns = time.monotonic_ns()
        probabilities, frames = self.recognizer.infer(audio)
        end_ns = time.monotonic_ns()
        for place, (stream, window) in enumerate(windows):
            steps = None if frames is None else frames[place]
            yield (
                stream,
                Prediction(window, audio[place], probabilities[place], steps, ready_ns, start_ns, end_ns, len(windows)),
            )
