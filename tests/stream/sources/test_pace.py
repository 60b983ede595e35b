import threading

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.stream.audio.block import Audio
from whoplays.stream.sources.file import GRID_SAMPLES, in_real_time


@settings(max_examples=5)
@given(st.lists(st.integers(0, 900), max_size=5))
def test_every_sample_is_due_at_its_time(sizes: list[int]) -> None:
    pieces: list[Audio] = [np.full((2, size), size, np.float32) for size in sizes]
    blocks = list(in_real_time(pieces, threading.Event()))
    ends = np.cumsum([block.audio.shape[1] for block in blocks]).tolist()
    assert (ends[-1] if ends else 0) == sum(sizes)
    assert set(range(GRID_SAMPLES, sum(sizes) + 1, GRID_SAMPLES)) <= set(ends)
    for end, block in zip(ends, blocks, strict=True):
        assert abs(block.captured_at_ns - blocks[0].captured_at_ns - (end - ends[0]) * 1e9 / 44_100) <= 1


def test_stopping_interrupts_the_wait() -> None:
    stopped = threading.Event()
    hour: list[Audio] = [np.zeros((2, 3600 * 44_100), np.float32)]
    blocks = in_real_time(hour, stopped)
    next(blocks)
    stopped.set()
    assert list(blocks) == []
