"""How a measured time is distributed."""

from collections.abc import Sequence

import msgspec
import numpy as np


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles by nearest rank: each is a time that was really measured."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


def summarize(times_ns: Sequence[int]) -> Summary:
    """The distribution of one or more times, given in ns.

    >>> summarize([1_000_000, 3_000_000, 2_000_000])
    Summary(p50_ms=2.0, p90_ms=3.0, p99_ms=3.0, max_ms=3.0)
    """
    found_ns = np.percentile(times_ns, (50, 90, 99, 100), method="inverted_cdf")
    p50, p90, p99, longest = (found_ns / 1e6).tolist()
    return Summary(p50_ms=p50, p90_ms=p90, p99_ms=p99, max_ms=longest)
