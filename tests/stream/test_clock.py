import time

from stream.clock import SampleClock, wall_ns


def test_time_runs_at_the_nominal_rate_within_a_block() -> None:
    clock = SampleClock(1000)
    clock.mark(100, 5_000_000_000)
    assert clock.heard_ns(90) == 4_990_000_000
    assert clock.heard_ns(100) == 5_000_000_000


def test_no_sample_is_heard_before_the_block_ahead_of_it() -> None:
    clock = SampleClock(1000)
    clock.mark(1000, 5_000_000_000)
    clock.mark(2000, 5_000_000_001)
    assert clock.heard_ns(1500) == 5_000_000_000


def test_marks_are_bounded() -> None:
    clock = SampleClock(1000)
    for index in range(1, 20_000):
        clock.mark(index, index * 1_000_000)
    assert clock.heard_ns(10) == 10_000_000
    assert clock.newest_ns == 19_999_000_000


def test_wall_time_keeps_distances() -> None:
    now_ns = time.monotonic_ns()
    assert abs(time.time_ns() - wall_ns(now_ns)) < 1_000_000_000
    assert abs(wall_ns(now_ns) - wall_ns(now_ns - 10**12) - 10**12) < 1_000_000_000
