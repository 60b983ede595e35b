"""The thread that brings a source's audio into the ring."""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

from stream.clock import SampleClock
from stream.ring import RingBuffer
from stream.source import Source


class Feeder:
    """Writes a source into a ring and marks its clock, from `__enter__` to the end of the source or `__exit__`.

    The ring is closed when nothing follows; then `check` tells whether that is the end or a failure.
    """

    def __init__(self, source: Source, ring: RingBuffer, clock: SampleClock) -> None:
        self._source: Final = source
        self._ring: Final = ring
        self._clock: Final = clock
        # An executor, because it carries an exception over to whoever asks for the result.
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="whoplays-source")
        self._fed: Future[None] | None = None

    def __enter__(self) -> Self:
        self._fed = self._thread.submit(self._feed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.stop()
        self._ring.close()
        self._thread.shutdown()

    def check(self) -> None:
        """Raise what the source raised, if nothing follows because it has failed.

        Raises:
            SourceError: the audio is damaged, or went away.
        """
        # Not whether the thread is done: it closes the ring first, and is done a moment later.
        if self._fed is not None and self._ring.closed:
            self._fed.result()

    def _feed(self) -> None:
        try:
            for block in self._source.blocks():
                self._clock.mark(self._ring.written + block.audio.shape[1], block.heard_ns)
                if not self._ring.write(block.audio, wait=not self._source.live):
                    return
        finally:
            self._ring.close()
