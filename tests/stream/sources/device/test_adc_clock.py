import math

import pytest

from whoplays.stream.sources.device.adc_clock import AdcClock

NOW_NS = 5_000_000_000_000
NOW_S = 1_800_000_000.0
"""PortAudio's clock has another beginning."""
FRAMES = 4_410
TENTH_NS = 100_000_000


def ages_ns(clock: AdcClock, calls: int, pace: float = 1.0, age_s: float = 0.12) -> list[int]:
    """How long before each of some calls, every 0.1 s, its frames were captured, if the converter's time runs so."""
    ages = []
    for call in range(calls):
        now_s = NOW_S + call * 0.1
        adc_s = NOW_S - age_s + call * 0.1 * pace
        now_ns = NOW_NS + call * TENTH_NS
        ages.append(now_ns - clock.captured_at_ns(FRAMES, now_ns, adc_s, now_s))
    return ages


def test_frames_were_captured_when_the_converter_says() -> None:
    clock = AdcClock(44_100)
    assert ages_ns(clock, 10) == pytest.approx([20_000_000] * 10, abs=1000)
    assert clock.proven


def test_the_last_frame_is_never_captured_in_the_future() -> None:
    assert ages_ns(AdcClock(44_100), 3, age_s=0.0) == [0, 0, 0]


@pytest.mark.parametrize("adc_s", [0.0, -1.0, NOW_S - 60, NOW_S + 60, math.nan, math.inf])
def test_arrival_counts_where_the_converters_time_is_impossible(adc_s: float) -> None:
    clock = AdcClock(44_100)
    assert clock.captured_at_ns(FRAMES, NOW_NS, adc_s, NOW_S) == NOW_NS
    assert not clock.proven


def test_a_time_that_stands_still_is_not_believed() -> None:
    clock = AdcClock(44_100)
    first_ns, *others_ns = ages_ns(clock, 10, pace=0.0)
    assert first_ns > 0
    assert others_ns == [0] * 9
    assert not clock.proven


@pytest.mark.parametrize(("calls", "pace"), [(5, 1.0), (11, 0.1), (11, 0.5)])
def test_a_clock_is_not_proven_by_too_little_nor_if_it_creeps(calls: int, pace: float) -> None:
    clock = AdcClock(44_100)
    ages_ns(clock, calls, pace)
    assert not clock.proven


def test_an_estimate_that_steps_back_a_little_is_believed() -> None:
    clock = AdcClock(44_100)
    ages_ns(clock, 3)
    clock.captured_at_ns(FRAMES, NOW_NS, NOW_S + 0.05, NOW_S + 0.2)
    ages_ns(clock, 10)
    assert clock.proven


def test_what_came_no_later_than_ever_was_not_captured_long_before() -> None:
    clock = AdcClock(44_100)
    ages_ns(clock, 10)
    captured_at_ns = clock.captured_at_ns(FRAMES, NOW_NS + 10 * TENTH_NS, NOW_S + 1.0 - 0.7, NOW_S + 1.0)
    assert captured_at_ns == NOW_NS + 10 * TENTH_NS - 300_000_000


def test_what_came_late_was_captured_on_time() -> None:
    clock = AdcClock(44_100)
    ages_ns(clock, 10)
    late_ns, late_s = NOW_NS + 40 * TENTH_NS, NOW_S + 4.0
    late_ages_ns = [
        late_ns - clock.captured_at_ns(FRAMES, late_ns, NOW_S - 0.12 + call * 0.1, late_s) for call in range(10, 40)
    ]
    assert late_ages_ns == pytest.approx([(4.02 - 0.1 * call) * 1e9 for call in range(10, 40)], abs=1000)
