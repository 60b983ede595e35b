import time

import numpy as np
import pytest

from whoplays.stream.common.clock import wall_ns
from whoplays.stream.pipeline.clock import LiveClock, ScheduleClock


def test_time_runs_at_the_nominal_rate_within_a_block() -> None:
    clock = ScheduleClock(1000)
    clock.observe(100, 5_000_000_000)
    assert clock.captured_at_ns(90) == 4_990_000_000
    assert clock.captured_at_ns(100) == 5_000_000_000


def test_no_sample_is_heard_before_the_block_ahead_of_it() -> None:
    clock = ScheduleClock(1000)
    clock.observe(1000, 5_000_000_000)
    clock.observe(2000, 5_000_000_001)
    assert clock.captured_at_ns(1500) == 5_000_000_000


def test_marks_are_bounded() -> None:
    clock = ScheduleClock(1000)
    for index in range(1, 20_000):
        clock.observe(index, index * 1_000_000)
    assert clock.captured_at_ns(10) == 10_000_000
    assert clock.newest_at_ns == 19_999_000_000


def test_wall_time_keeps_distances() -> None:
    now_ns = time.monotonic_ns()
    assert abs(time.time_ns() - wall_ns(now_ns)) < 1_000_000_000
    assert abs(wall_ns(now_ns) - wall_ns(now_ns - 10**12) - 10**12) < 1_000_000_000


def arrivals(seconds: int, rate_hz: float, jitter_ns: float, *, blocks_per_s: int = 50) -> list[tuple[int, int]]:
    """Marks of a source that says 44.1 kHz and really runs at `rate_hz`: each some way late, none early."""
    rng = np.random.default_rng(7)
    indices = np.arange(1, seconds * blocks_per_s + 1) * (44_100 // blocks_per_s)
    late = rng.exponential(jitter_ns, len(indices))
    return [(int(index), round(10**12 + index / rate_hz * 1e9 + by)) for index, by in zip(indices, late, strict=True)]


@pytest.mark.parametrize("ppm", [-120.0, 0.0, 80.0])
def test_drift_is_found_through_jitter(ppm: float) -> None:
    rate_hz = 44_100 * (1 + ppm / 1e6)
    clock = LiveClock(44_100)
    for index, captured_at_ns in arrivals(120, rate_hz, 5e6):
        clock.observe(index, captured_at_ns)
    assert clock.drift_ppm == pytest.approx(ppm, abs=10.0)
    index = 118 * 44_100
    assert clock.captured_at_ns(index) == pytest.approx(10**12 + index / rate_hz * 1e9, abs=2e6)


def test_drift_is_not_known_too_soon() -> None:
    clock = LiveClock(44_100)
    for index, captured_at_ns in arrivals(15, 44_100, 5e6):
        clock.observe(index, captured_at_ns)
    assert clock.drift_ppm is None
    assert clock.captured_at_ns(44_100) == pytest.approx(10**12 + 1e9, abs=5e6)


@pytest.mark.parametrize("rate_hz", [48_000, 40_000, 32_000])
def test_a_wrong_rate_is_found(rate_hz: int) -> None:
    clock = LiveClock(44_100)
    for index, captured_at_ns in arrivals(40, rate_hz, 5e6):
        clock.observe(index, captured_at_ns)
    assert clock.drift_ppm == pytest.approx((rate_hz / 44_100 - 1) * 1e6, rel=0.01)


def test_a_delay_that_has_changed_for_good_begins_a_new_line() -> None:
    clock = LiveClock(44_100)
    marks = arrivals(120, 44_100, 5e6)
    for index, captured_at_ns in marks:
        clock.observe(index, captured_at_ns + (2 * 10**9 if index > 60 * 44_100 else 0))
    index = 118 * 44_100
    assert clock.captured_at_ns(index) == pytest.approx(10**12 + 120 * 10**9, abs=5e6)
    assert clock.drift_ppm == pytest.approx(0.0, abs=20.0)


def test_one_late_second_moves_nothing() -> None:
    clock = LiveClock(44_100)
    for index, captured_at_ns in arrivals(60, 44_100, 5e6):
        clock.observe(index, captured_at_ns + (10**9 if 40 * 44_100 < index <= 41 * 44_100 else 0))
    assert clock.drift_ppm == pytest.approx(0.0, abs=20.0)
    assert clock.captured_at_ns(58 * 44_100) == pytest.approx(10**12 + 58 * 10**9, abs=5e6)


@pytest.mark.parametrize("skipped_s", [0.3, 3.0, 30.0])
def test_a_sender_that_leaves_something_out_is_no_wrong_rate(skipped_s: float) -> None:
    """Samples that come earlier than the line allows: one of them is proof."""
    clock = LiveClock(44_100)
    drifts = []
    for index, captured_at_ns in arrivals(120, 44_100, 5e6):
        clock.observe(index, captured_at_ns - (round(skipped_s * 1e9) if index > 60 * 44_100 else 0))
        drifts.append(abs(clock.drift_ppm or 0.0))
    assert max(drifts) < 1500.0
    index = 118 * 44_100
    assert clock.captured_at_ns(index) == pytest.approx(10**12 + (118 - skipped_s) * 10**9, abs=5e6)


def test_a_stall_and_its_backlog_move_nothing() -> None:
    clock = LiveClock(44_100)
    for index, captured_at_ns in arrivals(90, 44_100, 5e6):
        stalled = 40 * 44_100 < index <= 48 * 44_100
        clock.observe(index, 10**12 + 48 * 10**9 if stalled else captured_at_ns)
        if index > 50 * 44_100:
            assert clock.captured_at_ns(index) == pytest.approx(10**12 + index / 44_100 * 1e9, abs=60e6)
