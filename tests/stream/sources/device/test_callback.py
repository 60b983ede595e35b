"""The callback and its queue, without PortAudio."""

import time
from types import SimpleNamespace

import numpy as np

from whoplays.stream.audio.block import Audio
from whoplays.stream.sources.device.adc_clock import AdcClock
from whoplays.stream.sources.device.capture import Callback, CaptureQueue

FINE = SimpleNamespace(input_overflow=False)
OVERFLOW = SimpleNamespace(input_overflow=True)


def frames(value: float, count: int = 100) -> Audio:
    return np.full((count, 3), value, np.float32)


def test_what_came_is_copied_with_its_time_and_flag() -> None:
    queue = CaptureQueue(1000)
    callback = Callback(AdcClock(1000), queue)
    buffer = frames(0.5)
    before_ns = time.monotonic_ns()
    callback(buffer, 100, SimpleNamespace(inputBufferAdcTime=9.7, currentTime=10.0), OVERFLOW)
    # PortAudio uses its buffer again.
    buffer[:] = -1.0
    captured = queue.take(0)
    assert captured is not None
    np.testing.assert_array_equal(captured.frames, frames(0.5))
    assert captured.overflowed
    assert captured.missed_frames == 0
    # The first of its 0.1 s was heard 0.3 s before the call.
    assert before_ns - 200_000_000 <= captured.captured_at_ns <= time.monotonic_ns() - 200_000_000


def test_a_full_queue_takes_no_more_and_counts_what_it_missed() -> None:
    queue = CaptureQueue(250)
    for each in range(5):
        queue.put(frames(each), each, overflowed=each == 3)
    first, second = queue.take(0), queue.take(0)
    assert first is not None
    assert second is not None
    assert queue.take(0) is None
    queue.put(frames(9), 9, overflowed=False)
    queue.put(frames(10), 10, overflowed=False)
    third, fourth = queue.take(0), queue.take(0)
    assert third is not None
    assert fourth is not None
    assert [each.missed_frames for each in (first, second, third, fourth)] == [0, 0, 300, 0]
    # An overflow that was flagged meanwhile is not forgotten.
    assert [each.overflowed for each in (first, second, third, fourth)] == [False, False, True, False]


def test_a_queue_that_was_full_waits_until_half_of_it_is_free() -> None:
    queue = CaptureQueue(400)
    for _ in range(5):
        queue.put(frames(0.0), 0, overflowed=False)
    taken = []
    for _ in range(4):
        taken.append(queue.take(0))
        queue.put(frames(0.0, 10), 0, overflowed=False)
    taken.append(queue.take(0))
    assert [each and (len(each.frames), each.missed_frames) for each in taken] == [(100, 0)] * 4 + [(10, 120)]
