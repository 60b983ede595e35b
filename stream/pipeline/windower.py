"""Cutting a stream into windows."""

from collections.abc import Callable
from typing import Final, NamedTuple

from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.level import FLOOR_DBFS, Level
from whoplays.stream.pipeline.ring import RingBuffer


class WindowRef(NamedTuple):
    """A window that was taken: samples `start` to `end`, half open, counted since the session began."""

    start: int
    end: int
    closed_ns: int = 0
    """Monotonic time at which its last sample was captured."""
    lost_samples: int = 0
    """How many of its samples stand for lost ones."""
    level: Level = Level(FLOOR_DBFS, FLOOR_DBFS, 0)


class Skipped(NamedTuple):
    """Samples `start` to `end`, half open, that no window covers: overwritten, or too old when their turn came."""

    start: int
    end: int


class Windower:
    """Takes windows from a ring, one every hop.

    Windows start hop by hop from where it begins, whatever the sizes of the blocks that were written. When the ring
    has overwritten the next window, the oldest windows are skipped: the next one is the newest complete one, and
    what no window will cover is `Skipped`. So windows and skipped samples together tile all samples up to `covered`.

    Args:
        ring: holds at least four windows.
        window_samples: length of a window.
        hop_samples: from the start of one window to the start of the next; from 1 to `window_samples`.
        read: copies the window from an index on, as `RingBuffer.read` does, which it is unless given.
    """

    def __init__(
        self,
        ring: RingBuffer,
        window_samples: int,
        hop_samples: int,
        read: Callable[[int, Audio], bool] | None = None,
    ) -> None:
        if not 1 <= hop_samples <= window_samples <= ring.capacity_samples // 4:
            raise ValueError("needs 1 <= hop <= window <= a quarter of the ring")
        self.window_samples: Final = window_samples
        self.hop_samples: Final = hop_samples
        self.covered = 0
        """Every sample before this index is in a window or among skipped ones."""
        self.dropped = 0
        """Windows that were skipped."""
        self._ring = ring
        self._read = read or ring.read
        self._origin = 0
        self._go_to(0)

    def begin_at(self, index: int) -> None:
        """Take the first window at another index than 0; before the ring counts from there."""
        self._origin = self.covered = index
        self._go_to(index)

    @property
    def next_end(self) -> int:
        """The index after the next window's last sample."""
        return self._next + self.window_samples

    @property
    def ready(self) -> int:
        """How many complete windows wait to be taken."""
        beyond = self._ring.written - self.next_end
        return 0 if beyond < 0 else beyond // self.hop_samples + 1

    def take(self, out: Audio) -> WindowRef | Skipped | None:
        """Copy the next window into `out`, of the shape that is read.

        Returns:
            The window, or the samples that were skipped (`out` is then worthless), or None if no window is ready.
        """
        start, end = self._next, self.next_end
        if self._ring.written < end:
            return None
        if not self._read(start, out):
            return self.skip()
        self.covered = end
        self._go_to(start + self.hop_samples)
        return WindowRef(start, end)

    def skip(self) -> Skipped | None:
        """Skip all complete windows but the newest; the samples that no window will cover, if there are any."""
        newest = self._ring.written - self.window_samples
        start = newest - (newest - self._origin) % self.hop_samples
        if start <= self._next:
            return None
        self.dropped += (start - self._next) // self.hop_samples
        self._go_to(start)
        skipped = Skipped(self.covered, start)
        self.covered = max(self.covered, start)
        return skipped if skipped.start < skipped.end else None

    def _go_to(self, start: int) -> None:
        self._next = start
        self._ring.wake_at = self.next_end
        self._ring.release(start)
