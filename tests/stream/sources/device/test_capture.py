"""From PortAudio's callback to blocks, without PortAudio: whatever is lost, blocks add up to the time that went by."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.device.adc_clock import AdcClock
from whoplays.stream.sources.device.capture import Callback, Captured, CaptureQueue, GapAwareCapture

START_NS = 7_000_000_000_000


def frames(value: float, count: int = 100) -> Audio:
    return np.full((count, 3), value, np.float32)


def take_all(queue: CaptureQueue) -> list[Captured]:
    return list(iter(lambda: queue.take(0), None))


def test_the_callback_copies_frames_with_their_time_and_flag() -> None:
    queue = CaptureQueue(1000)
    callback = Callback(AdcClock(1000), queue)
    buffer = frames(0.5)
    before_ns = time.monotonic_ns()
    times, status = SimpleNamespace(inputBufferAdcTime=9.7, currentTime=10.0), SimpleNamespace(input_overflow=True)
    callback(buffer, 100, times, status)
    # PortAudio uses its buffer again.
    buffer[:] = -1.0
    (captured,) = take_all(queue)
    np.testing.assert_array_equal(captured.frames, frames(0.5))
    assert captured.overflowed
    assert captured.missed_frames == 0
    # The first of its 0.1 s was captured 0.3 s before the call.
    assert before_ns - 200_000_000 <= captured.captured_at_ns <= time.monotonic_ns() - 200_000_000


def test_a_full_queue_takes_no_more_and_counts_what_it_missed() -> None:
    queue = CaptureQueue(250)
    for each in range(5):
        queue.put(frames(each), each, overflowed=each == 3)
    taken = take_all(queue)
    queue.put(frames(9), 9, overflowed=False)
    queue.put(frames(10), 10, overflowed=False)
    taken += take_all(queue)
    assert [each.missed_frames for each in taken] == [0, 0, 300, 0]
    # An overflow that was flagged meanwhile is not forgotten.
    assert [each.overflowed for each in taken] == [False, False, True, False]


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


class Device:
    """A device of two channels and its clock, to lose frames on."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.frames = 0
        self.capture = GapAwareCapture(rate_hz, 2, ChannelSelection())
        self.blocks: list[Block] = []

    def lose(self, frames: int) -> None:
        self.frames += frames

    def deliver(self, frames: int, *, overflowed: bool = False, missed: int = 0, jitter_ns: int = 0) -> None:
        self.frames += missed + frames
        captured_at_ns = START_NS + self.frames * 1_000_000_000 // self.rate_hz + jitter_ns
        captured = Captured(np.full((frames, 2), 0.5, np.float32), captured_at_ns, overflowed, missed)
        self.blocks.extend(self.capture.blocks(captured))

    @property
    def samples(self) -> int:
        return sum(block.audio.shape[1] for block in self.blocks)

    @property
    def lost_samples(self) -> int:
        return sum(block.audio.shape[1] for block in self.blocks if block.lost == "overflow")


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_an_overflow_is_as_long_as_the_clock_says(rate_hz: int) -> None:
    device, noise = Device(rate_hz), np.random.default_rng(5)
    for call in range(300):
        if call == 200:
            device.lose(rate_hz * 3 // 2)
        device.deliver(rate_hz // 100, overflowed=call == 200, jitter_ns=int(noise.integers(-2_000_000, 2_000_000)))
    # To the jitter of the clock.
    assert device.lost_samples == pytest.approx(1.5 * 44_100, abs=0.003 * 44_100)
    assert device.samples == pytest.approx(device.frames * 44_100 / rate_hz, abs=0.003 * 44_100 + 1000)


def test_what_was_lost_is_silence_in_pieces_with_the_times_of_their_ends() -> None:
    device = Device(44_100)
    device.deliver(44_100)
    device.deliver(44_100, missed=100_000)
    before, *lost, after = device.blocks
    assert [block.lost for block in device.blocks] == [None, *["overflow"] * 5, None]
    assert [block.audio.shape[1] for block in lost] == [22_050] * 4 + [11_800]
    assert not any(block.audio.any() for block in lost)
    assert before.audio.all()
    assert after.audio.all()
    ends = np.cumsum([block.audio.shape[1] for block in device.blocks])
    expected_ns = START_NS + ends * (1_000_000_000 / 44_100)
    np.testing.assert_allclose([block.captured_at_ns for block in device.blocks], expected_ns, rtol=0, atol=10)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 96_000, 176_400, 192_000, 384_000])
def test_an_overflow_without_a_measurable_length_is_still_a_loss(rate_hz: int) -> None:
    device = Device(rate_hz)
    device.deliver(1000)
    for frames in range(1000, 1050):
        before = device.lost_samples
        device.deliver(frames, overflowed=True)
        assert 1 <= device.lost_samples - before <= max(4, 44_100 / rate_hz + 1)


def test_an_overflow_before_the_first_frames_loses_nothing() -> None:
    device = Device(44_100)
    device.deliver(1000, overflowed=True)
    assert device.lost_samples == 0
    assert device.samples == 1000


calls = st.tuples(st.integers(1, 5000), st.sampled_from([0, 0, 0, 1, 17, 4410, 100_000]))


@settings(max_examples=60)
@given(st.sampled_from([8_000, 44_100, 48_000, 192_000]), st.lists(calls, min_size=1, max_size=30))
def test_captured_and_lost_add_up_to_what_went_by(rate_hz: int, calls: list[tuple[int, int]]) -> None:
    device = Device(rate_hz)
    for frames, missed in calls:
        device.deliver(frames, missed=missed)
        if missed and device.blocks and device.blocks[-1].lost:
            # Nothing of what was captured after it has come out yet.
            went_by = (device.frames - frames) * 44_100 / rate_hz
            assert device.samples == pytest.approx(went_by, abs=1)
    # The resampler holds some back, the more the lower the rate.
    pending = device.frames * 44_100 / rate_hz - device.samples
    assert -1.5 <= pending <= 0.5 * 44_100
    if rate_hz == 44_100:
        assert pending == 0
