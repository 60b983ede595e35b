from whoplays.stream.sources.rtp.jitter import Alignment, loose_frames

RATE_HZ = 1000


def test_small_deviations_are_loose_and_large_ones_real() -> None:
    alignment = Alignment(RATE_HZ)
    assert loose_frames(RATE_HZ) == 40
    assert [alignment.is_real(deviation, 0) for deviation in (0, 1, 40, -40, 41, -41)] == [False] * 4 + [True] * 2


def test_a_deviation_that_stays_is_real_after_a_second() -> None:
    alignment = Alignment(RATE_HZ)
    assert [alignment.is_real(7, at) for at in (500, 1499, 1500)] == [False, False, True]


def test_one_that_comes_and_goes_never_is() -> None:
    alignment = Alignment(RATE_HZ)
    assert not any(alignment.is_real(at // 500 % 3 - 1, at) for at in range(0, 10_000, 10))
