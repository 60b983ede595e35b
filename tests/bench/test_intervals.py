import numpy as np
import pytest

from whoplays.bench.intervals import Interval, RatioEstimate, quantile_interval, quantile_ranks, ratio_of_medians


def test_the_median_of_few_values_has_the_interval_of_the_sign_test() -> None:
    """Of six values it is outside of all with a probability of 2 / 64, of five with 2 / 32."""
    assert quantile_ranks(6, 0.5) == (1, 6)
    assert quantile_ranks(5, 0.5) is None
    assert quantile_interval([3.0, 1.0, 2.0, 6.0, 5.0, 4.0], 0.5) == Interval(1.0, 6.0)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_intervals_hold_what_they_should_in_95_of_100(share: float) -> None:
    random = np.random.default_rng(0)
    found = [quantile_interval(random.random(500), share) for _ in range(400)]
    held = [interval is not None and interval.low <= share <= interval.high for interval in found]
    assert np.mean(held) >= 0.93


def test_ranks_of_very_many_values_are_near_the_quantile() -> None:
    ranks = quantile_ranks(1_000_000, 0.99)
    assert ranks is not None
    assert 989_000 < ranks[0] < 990_000 < ranks[1] < 991_000


def test_rounds_that_disagree_leave_a_wide_interval() -> None:
    first = [[10.0, 11.0, 12.0]] * 6
    calm = ratio_of_medians(first, [[20.0, 22.0, 24.0]] * 6)
    assert (calm.ratio, calm.low, calm.high, calm.verdict) == (2.0, 2.0, 2.0, "slower")
    noisy = ratio_of_medians(first, [[5.5], [22.0], [11.0], [5.5], [22.0], [11.0]])
    assert noisy.low < 1 < noisy.high
    assert noisy.verdict == "cannot tell"


def test_less_time_is_faster() -> None:
    assert RatioEstimate(ratio=0.8, low=0.7, high=0.99).verdict == "faster"
    assert RatioEstimate(ratio=1.0, low=1.0, high=1.0).verdict == "cannot tell"
