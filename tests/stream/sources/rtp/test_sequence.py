from hypothesis import given
from hypothesis import strategies as st

from whoplays.stream.sources.rtp.packet import extend


@given(st.sampled_from([16, 32]), st.integers(-(2**40), 2**40), st.integers(0))
def test_the_nearest_number_that_the_counter_can_mean_is_found(bits: int, near: int, value: int) -> None:
    value %= 2**bits
    whole = extend(value, near, bits)
    assert whole % 2**bits == value
    assert abs(whole - near) <= 2 ** (bits - 1)
