"""Cutting a stream into windows."""

from typing import Final, NamedTuple

from whoplays.stream.audio.block import Audio
from whoplays.stream.pipeline.ring import RingBuffer


class Span(NamedTuple):
    """Samples `start` to `end`, half open, counted since the session began."""

    start: int
    end: int


class Skipped(NamedTuple):
    """Samples `start` to `end`, half open, that were overwritten before any window covered them."""

    start: int
    end: int


class Windower:
    """Takes windows from a ring, one every hop.

    Every window starts at a multiple of the hop, whatever the sizes of the blocks that were written. When the ring
    has overwritten the next window, the oldest windows are given up: the next one is the newest complete one, and
    what no window will cover is `Skipped`. So windows and misses together tile all samples up to `covered`.

    Args:
        ring: holds at least four windows.
        window_samples: length of a window.
        hop_samples: from the start of one window to the start of the next; from 1 to `window_samples`.
    """

    def __init__(self, ring: RingBuffer, window_samples: int, hop_samples: int) -> None:
        if not 1 <= hop_samples <= window_samples <= ring.capacity_samples // 4:
            raise ValueError("needs 1 <= hop <= window <= a quarter of the ring")
        self.window_samples: Final = window_samples
        self.hop_samples: Final = hop_samples
        self.covered = 0
        """Every sample before this index is in a window or a miss that was taken."""
        self.dropped = 0
        """Windows given up because the ring had overwritten them."""
        self._ring = ring
        self._go_to(0)

    @property
    def next_end(self) -> int:
        """The index after the next window's last sample."""
        return self._next + self.window_samples

    @property
    def ready(self) -> int:
        """How many complete windows wait to be taken."""
        beyond = self._ring.written - self._next - self.window_samples
        return 0 if beyond < 0 else beyond // self.hop_samples + 1

    def take(self, out: Audio) -> Span | Skipped | None:
        """Copy the next window into `out`, `[channels, window_samples]` float32.

        Returns:
            The window's span, or the samples that were missed (`out` is then worthless), or None if none is ready.
        """
        start, end = self._next, self._next + self.window_samples
        if self._ring.written < end:
            return None
        if not self._ring.read(start, out):
            return self.skip()
        self.covered = end
        self._go_to(start + self.hop_samples)
        return Span(start, end)

    def skip(self) -> Skipped | None:
        """Give up all complete windows but the newest; what no window will cover is missed, if anything is."""
        newest = self._ring.written - self.window_samples
        start = newest - newest % self.hop_samples
        if start <= self._next:
            return None
        self.dropped += (start - self._next) // self.hop_samples
        self._go_to(start)
        missed = Skipped(self.covered, start)
        self.covered = max(self.covered, start)
        return missed if missed.start < missed.end else None

    def _go_to(self, start: int) -> None:
        self._next = start
        self._ring.wake_at = start + self.window_samples
        self._ring.release(start)
