from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.history.writer import WallClock

SECOND_NS = 1_000_000_000


def test_windows_that_were_marked_are_exact_and_others_follow_the_rate() -> None:
    clock = WallClock()
    assert clock.captured_at_ns(7, 42) == 42
    clock.mark(SAMPLE_RATE_HZ, 10 * SECOND_NS)
    clock.mark(2 * SAMPLE_RATE_HZ, 11 * SECOND_NS + 5)
    seconds = {0: 9 * SECOND_NS, 1: 10 * SECOND_NS, 2: 11 * SECOND_NS + 5, 4: 13 * SECOND_NS + 5}
    assert {second: clock.captured_at_ns(second * SAMPLE_RATE_HZ, 0) for second in seconds} == seconds


@given(st.lists(st.tuples(st.integers(1, 200_000), st.integers(0, 10**10)), min_size=1, max_size=20), st.data())
@settings(max_examples=100, deadline=None)
def test_nothing_was_heard_after_what_came_later(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    """Even where a file is heard faster than in real time, or the clock drifts."""
    clock, sample, captured_at_ns = WallClock(), 0, 10**18
    for samples, after_ns in steps:
        sample, captured_at_ns = sample + samples, captured_at_ns + after_ns
        clock.mark(sample, captured_at_ns)
        assert clock.captured_at_ns(sample, 0) == captured_at_ns
    asked = data.draw(st.integers(0, sample))
    assert clock.captured_at_ns(asked, 0) <= captured_at_ns
