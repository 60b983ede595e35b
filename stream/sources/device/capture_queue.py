"""What PortAudio's callback leaves to the thread that reads."""

import queue
from typing import Final, NamedTuple

from whoplays.stream.audio.block import Audio


class Captured(NamedTuple):
    """What came in one call."""

    frames: Audio
    """`[n, channels]` float32 in [-1, 1]."""
    heard_ns: int
    """When the last of them was heard, on the monotonic clock."""
    overflowed: bool
    """Whether the device was not read in time just before, so that it lost frames."""
    missed_frames: int
    """Frames that came just before and found the queue full."""


class CaptureQueue:
    """A bounded queue between a callback that must never wait, and one reader.

    Args:
        most_frames: how many it holds; what comes when it is full is missed, and counted.
    """

    def __init__(self, most_frames: int) -> None:
        self._most_frames: Final = most_frames
        self._queue: Final = queue.SimpleQueue[Captured]()
        # Each is written by one side only, so neither needs a lock.
        self._put_frames = 0
        self._taken_frames = 0
        self._missed_frames = 0
        self._overflowed = False

    def put(self, frames: Audio, heard_ns: int, *, overflowed: bool) -> None:
        """Copy what came; for the callback."""
        self._overflowed |= overflowed
        # Once it was full, half of it must be free again: better one long gap than many short ones.
        most_frames = self._most_frames // 2 if self._missed_frames else self._most_frames
        if self._put_frames - self._taken_frames + len(frames) > most_frames:
            self._missed_frames += len(frames)
            return
        self._put_frames += len(frames)
        self._queue.put(Captured(frames.copy(), heard_ns, self._overflowed, self._missed_frames))
        self._missed_frames, self._overflowed = 0, False

    def take(self, timeout_s: float) -> Captured | None:
        """What came next; None if nothing did in that time."""
        try:
            captured = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._taken_frames += len(captured.frames)
        return captured
