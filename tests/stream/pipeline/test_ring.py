import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from whoplays.stream.audio.block import Audio
from whoplays.stream.pipeline.ring import RingBuffer

block_sizes = st.lists(st.integers(0, 50), max_size=30)


def ramp(start: int, samples: int) -> Audio:
    """Samples that are their own index, on two channels."""
    return np.tile(np.arange(start, start + samples, dtype=np.float32), (2, 1))


@given(block_sizes, st.integers(1, 64))
def test_blocks_of_any_sizes_are_read_back(sizes: list[int], capacity: int) -> None:
    ring = RingBuffer(2, capacity)
    for size in sizes:
        ring.write(ramp(ring.written, size))
    assert ring.written == sum(sizes)
    out = np.empty((2, ring.written - ring.oldest), np.float32)
    assert ring.read(ring.oldest, out)
    np.testing.assert_array_equal(out, ramp(ring.oldest, out.shape[1]))


@given(block_sizes)
def test_what_was_overwritten_is_refused(sizes: list[int]) -> None:
    ring = RingBuffer(2, 16)
    for size in sizes:
        ring.write(ramp(ring.written, size))
    out = np.empty((2, 1), np.float32)
    for start in range(ring.written):
        assert ring.read(start, out) == (start >= ring.written - 16)


def test_a_read_during_writing_is_right_or_refused() -> None:
    ring = RingBuffer(2, 64)

    def write() -> None:
        for _ in range(3000):
            ring.write(ramp(ring.written, 7))
        ring.close()

    writer = threading.Thread(target=write)
    writer.start()
    out = np.empty((2, 32), np.float32)
    while not ring.closed:
        start = max(0, ring.written - 48)
        if start and ring.read(start, out):
            np.testing.assert_array_equal(out, ramp(start, 32))
    writer.join()


def test_a_writer_that_waits_loses_nothing() -> None:
    wakeup = threading.Event()
    ring = RingBuffer(2, 40, wakeup)
    writer = threading.Thread(target=ring.write, args=(ramp(0, 1000),), kwargs={"wait": True})
    writer.start()
    out = np.empty((2, 10), np.float32)
    for start in range(0, 1000, 10):
        ring.wake_at = start + 10
        while ring.written < start + 10:
            assert wakeup.wait(10)
            wakeup.clear()
        assert ring.read(start, out)
        np.testing.assert_array_equal(out, ramp(start, 10))
        ring.release(start + 10)
    writer.join()


def test_closing_wakes_both_sides() -> None:
    wakeup = threading.Event()
    ring = RingBuffer(2, 8, wakeup)
    ring.wake_at = 1000
    results: list[bool] = []
    writer = threading.Thread(target=lambda: results.append(ring.write(ramp(0, 100), wait=True)))
    writer.start()
    ring.close()
    assert wakeup.wait(10)
    writer.join()
    assert results == [False]


def test_the_bell_rings_when_the_alarm_is_reached() -> None:
    wakeup = threading.Event()
    ring = RingBuffer(2, 16, wakeup)
    ring.wake_at = 10
    ring.write(ramp(0, 9))
    assert not wakeup.is_set()
    ring.write(ramp(9, 1))
    assert wakeup.is_set()
