"""The ring buffer between a source's thread and the engine's."""

import threading
from typing import Final

import numpy as np

from whoplays.stream.audio.block import Audio


class RingBuffer:
    """The last samples of one stream, by absolute sample index, for one writer and one reader.

    The writer of a live source never waits: what the reader did not read in time is overwritten, which the
    reader detects. The writer of a source that can wait does so until the reader has released enough.

    Shape: `[channels, capacity_samples]` float32 in [-1, 1], allocated once.

    Args:
        channels: of a block.
        capacity_samples: how many are kept.
        wakeup: set when `wake_at` is reached, and when nothing more will be written.
    """

    def __init__(self, channels: int, capacity_samples: int, wakeup: threading.Event | None = None) -> None:
        self.capacity_samples: Final = capacity_samples
        self.wake_at = 0
        """Once every sample before this index is written, the reader is woken."""
        self._wakeup: Final = wakeup or threading.Event()
        self._samples: Final = np.zeros((channels, capacity_samples), np.float32)
        self._chunk_samples: Final = max(1, capacity_samples // 4)
        self._changed: Final = threading.Condition()
        self._reserved = 0
        self._written = 0
        self._released = 0
        self._closed = False

    @property
    def written(self) -> int:
        """Samples written since the session began: the index of the next one."""
        return self._written

    @property
    def oldest(self) -> int:
        """The index of the oldest sample that is certainly not overwritten."""
        return max(0, self._reserved - self.capacity_samples)

    @property
    def closed(self) -> bool:
        """Whether nothing more will be written."""
        return self._closed

    def begin_at(self, index: int) -> None:
        """Count from another index than 0; before anything is written."""
        self._reserved = self._written = self._released = index

    def close(self) -> None:
        """End the writing, from either side; whoever waits is woken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._wakeup.set()

    def write(self, block: Audio, *, wait: bool = False) -> bool:
        """Append a block.

        Args:
            block: `[channels, n]` float32, any n.
            wait: wait for room instead of overwriting what has not been released.

        Returns:
            False once the ring is closed; the block may then be written in part.
        """
        for start in range(0, block.shape[1], self._chunk_samples):
            chunk = block[:, start : start + self._chunk_samples]
            if self._closed or (wait and not self._wait_for_room(chunk.shape[1])):
                return False
            self._write_chunk(chunk)
        return True

    def read(self, start: int, out: Audio) -> bool:
        """Copy the written samples from index `start` on into `out`, `[channels, n]`.

        Returns:
            False if some of them were overwritten, before or while they were copied; `out` is then worthless.
        """
        at = start % self.capacity_samples
        first = min(out.shape[1], self.capacity_samples - at)
        out[:, :first] = self._samples[:, at : at + first]
        out[:, first:] = self._samples[:, : out.shape[1] - first]
        return start >= self.oldest

    def release(self, index: int) -> None:
        """Note that no sample before `index` is needed any more."""
        with self._changed:
            self._released = index
            self._changed.notify_all()

    def _wait_for_room(self, samples: int) -> bool:
        limit = self._written + samples - self.capacity_samples
        with self._changed:
            self._changed.wait_for(lambda: self._released >= limit or self._closed)
            return not self._closed

    def _write_chunk(self, chunk: Audio) -> None:
        samples = chunk.shape[1]
        # Announced before the copy, so that a reader knows which samples may be half overwritten.
        self._reserved = self._written + samples
        at = self._written % self.capacity_samples
        first = min(samples, self.capacity_samples - at)
        self._samples[:, at : at + first] = chunk[:, :first]
        self._samples[:, : samples - first] = chunk[:, first:]
        self._written = self._reserved
        # Looked at first: setting takes a lock, which many streams would wait for at each other's every block.
        if self._written >= self.wake_at and not self._wakeup.is_set():
            self._wakeup.set()
