import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stream.pipeline.test_ring import block_sizes, ramp
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.windower import Skipped, Windower, WindowRef

WINDOW = 8


def take_all(windower: Windower) -> list[WindowRef | Skipped]:
    """Everything that is ready; each window must hold the samples that its span says."""
    out = np.empty((2, windower.window_samples), np.float32)
    pieces: list[WindowRef | Skipped] = []
    while (piece := windower.take(out)) is not None:
        pieces.append(piece)
        if isinstance(piece, WindowRef):
            np.testing.assert_array_equal(out, ramp(piece.start, WINDOW))
    return pieces


@given(block_sizes, st.integers(1, WINDOW))
def test_blocks_of_any_sizes_give_the_same_windows(sizes: list[int], hop: int) -> None:
    ring = RingBuffer(2, 256)
    windower = Windower(ring, WINDOW, hop)
    taken: list[WindowRef | Skipped] = []
    for size in sizes:
        ring.write(ramp(ring.written, size))
        taken += take_all(windower)
    assert taken == [WindowRef(start, start + WINDOW) for start in range(0, sum(sizes) - WINDOW + 1, hop)]


@given(block_sizes, st.integers(1, WINDOW), st.integers(1, 5))
def test_windows_and_misses_tile_what_was_heard(sizes: list[int], hop: int, every: int) -> None:
    ring = RingBuffer(2, 4 * WINDOW)
    windower = Windower(ring, WINDOW, hop)
    covered = windows = 0
    for number, size in enumerate(sizes):
        ring.write(ramp(ring.written, size))
        if number % every and number + 1 < len(sizes):
            continue
        for piece in take_all(windower):
            if isinstance(piece, Skipped):
                assert covered == piece.start < piece.end
            else:
                assert piece.start <= covered <= piece.end
                assert piece.start % hop == 0
                windows += 1
            covered = piece.end
    assert windower.covered == covered
    assert ring.written - covered < (hop if covered else WINDOW)
    assert windows + windower.dropped == (max(0, ring.written - WINDOW + hop) // hop if covered else 0)


def test_ready_counts_complete_windows() -> None:
    ring = RingBuffer(2, 64)
    windower = Windower(ring, WINDOW, 4)
    assert windower.ready == 0
    ring.write(ramp(0, 7))
    assert windower.ready == 0
    ring.write(ramp(7, 9))
    assert windower.ready == 3


@pytest.mark.parametrize(("capacity", "hop"), [(32, 0), (32, 9), (31, 8)])
def test_impossible_sizes_are_refused(capacity: int, hop: int) -> None:
    with pytest.raises(ValueError, match="a quarter of the ring"):
        Windower(RingBuffer(2, capacity), WINDOW, hop)
