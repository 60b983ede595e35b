import random

from hypothesis import given
from hypothesis import strategies as st

from whoplays.bench.summary import Summary, summarize


def test_percentiles_of_a_hundred() -> None:
    times_ns = [ms * 1_000_000 for ms in range(1, 101)]
    random.Random(0).shuffle(times_ns)
    assert summarize(times_ns) == Summary(p50_ms=50.0, p90_ms=90.0, p99_ms=99.0, max_ms=100.0)


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_each_is_a_time_that_was_measured(times_ns: list[int]) -> None:
    found = summarize(times_ns)
    measured_ms = {time_ns / 1e6 for time_ns in times_ns}
    assert {found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms} <= measured_ms
    assert found.p50_ms <= found.p90_ms <= found.p99_ms <= found.max_ms == max(measured_ms)
