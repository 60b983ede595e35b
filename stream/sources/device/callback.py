"""What PortAudio calls when frames have come."""

import time
from typing import Any, Final

from whoplays.stream.audio.block import Audio
from whoplays.stream.sources.device.adc_clock import AdcClock
from whoplays.stream.sources.device.capture_queue import CaptureQueue


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
