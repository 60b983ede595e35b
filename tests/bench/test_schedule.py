from hypothesis import given
from hypothesis import strategies as st

from whoplays.bench.schedule import BLOCK_SAMPLES, Schedule, block_of

SECOND = 44_100


def test_the_last_sample_of_each_window_is_due_a_hop_after_the_last() -> None:
    schedule = Schedule(start_ns=7, window_samples=3 * SECOND, hop_samples=SECOND // 4, windows=3)
    assert list(schedule.window_ends) == [132_300, 143_325, 154_350]
    assert [schedule.due_ns(end) for end in schedule.window_ends] == [3_000_000_007, 3_250_000_007, 3_500_000_007]
    assert (schedule.samples, schedule.last_due_ns) == (154_350, 3_500_000_007)


@given(window=st.integers(1, 5000), data=st.data(), windows=st.integers(1, 20))
def test_blocks_tile_the_samples(window: int, data: st.DataObject, windows: int) -> None:
    hop = data.draw(st.integers(1, window))
    schedule = Schedule(start_ns=0, window_samples=window, hop_samples=hop, windows=windows)
    ends = schedule.block_ends
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    assert ends[-1] == schedule.samples == window + (windows - 1) * hop
    assert all(size == BLOCK_SAMPLES for size in sizes[:-1])
    assert 1 <= sizes[-1] <= BLOCK_SAMPLES
    for end in schedule.window_ends:
        assert ends[block_of(end)] - BLOCK_SAMPLES < end <= ends[block_of(end)] or end == schedule.samples
