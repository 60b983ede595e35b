"""What the child process does that listens to a sound input."""

import queue
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, NoReturn

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.resample import Intake
from whoplays.stream.sources.device.adc_clock import AdcClock
from whoplays.stream.sources.device.names import Wish
from whoplays.stream.sources.device.portaudio import Ledger, Stream, listening
from whoplays.stream.sources.worker import Send


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


class Callback:
    """Copies what came, and when, into a queue; nothing else, because PortAudio waits for it.

    Args:
        clock: tells when frames were heard.
        queue: takes them.
    """

    def __init__(self, clock: AdcClock, queue: CaptureQueue) -> None:
        self._clock: Final = clock
        self._queue: Final = queue

    def __call__(self, frames: Audio, count: int, times: Any, status: Any) -> None:
        """Take `[count, channels]` float32, PortAudio's times of them, and its flags."""
        heard_ns = self._clock.heard_ns(count, time.monotonic_ns(), times.inputBufferAdcTime, times.currentTime)
        self._queue.put(frames, heard_ns, overflowed=status.input_overflow)


POLL_S: Final = 0.2
QUIET_S: Final = 5.0


def capture(
    send: Send, selector: str, channels: list[int], gain_db: float, rate_hz: int | None, quiet_s: float = QUIET_S
) -> NoReturn:
    """Listen to an input until it goes away.

    Args:
        send: takes the blocks.
        selector: which input; see `whoplays.stream.sources.device.names.resolve`.
        channels: which are taken; see `Intake`.
        gain_db: how loud.
        rate_hz: at which rate it is opened; its own if None.
        quiet_s: how long it may deliver nothing, not even silence, before it is taken to be gone.

    Raises:
        SourceError: there is no such input, it cannot be opened, or it went away.
    """
    intake = Intake(channels=tuple(channels), gain_db=gain_db)
    with listening(Wish(selector, intake, rate_hz)) as stream:
        ledger = Ledger(stream.rate_hz, stream.channels, intake)
        for captured in follow(stream, quiet_s):
            for block in ledger.blocks(captured):
                send(block)
    raise AssertionError("listening ends with an error only")


def follow(stream: Stream, quiet_s: float) -> Iterator[Captured]:
    """What an input delivers.

    Raises:
        SourceError: it went away, or has delivered nothing for too long.
    """
    empty_polls = 0
    # Not by the clock: it goes on while this process stands still.
    while empty_polls * POLL_S < quiet_s:
        captured = stream.take(POLL_S)
        empty_polls = 0 if captured else empty_polls + 1
        if captured:
            yield captured
    raise SourceError(f"{stream.input.name} has delivered nothing for {quiet_s:.0f} s; see whether it is connected")
