"""Clocks: what times are made of, why samples are missing on them, and what happened lately."""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from whoplays.models.signal import SAMPLE_RATE_HZ

ClockKind = Literal["adc", "arrival", "file"]
"""What capture times are made of: the converter's clock, the time of arrival here, or a file's own schedule (which it
has only in real time: at `max` speed, the time of reading)."""

GapCause = Literal["overflow", "network", "device_lost", "overload", "invalid"]
"""Why samples were lost: a device was not read in time, packets did not arrive, the input went away, inference could
not keep up, or they are no numbers, or such that the model returns none."""

RECENT_NS: Final = 10_000_000_000
"""How long an increase counts as recent."""


class RecentIncreases:
    """Which of some counts have increased in the last ten seconds. One thread updates, any may ask."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock: Final = clock
        self._counts: dict[str, int] = {}
        self._increased_ns: Final[dict[str, int]] = {}

    def update(self, **counts: int) -> None:
        """See which counts have increased since the last update; at the first one, which are not 0."""
        now_ns = self._clock()
        for name, count in counts.items():
            if count > self._counts.get(name, 0):
                self._increased_ns[name] = now_ns
        self._counts = counts

    def names(self) -> set[str]:
        """The names of those that have increased recently."""
        since_ns = self._clock() - RECENT_NS
        # A copy, because an update may add to it meanwhile.
        return {name for name, at_ns in self._increased_ns.copy().items() if at_ns > since_ns}


def wall_ns(monotonic_ns: int) -> int:
    """The wall time (Unix epoch) of a moment on the monotonic clock, by the clocks as they stand now."""
    return time.time_ns() - (time.monotonic_ns() - monotonic_ns)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def unix_ns(moment: datetime) -> int:
    """Unix time in ns, exact to the microsecond, of a time with a time zone."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


ANCHORS: Final = 4


class SampleClock:
    """The wall time of a sample, by the ends of the newest windows.

    A few windows back it is exact; before and after them it assumes the nominal sample rate.
    """

    def __init__(self) -> None:
        self._anchors: Final = deque[tuple[int, int]](maxlen=ANCHORS)

    def observe(self, sample: int, unix_ns: int) -> None:
        """The sample before index `sample` was captured at `unix_ns`."""
        self._anchors.append((sample, unix_ns))

    def unix_ns(self, sample: int, otherwise_ns: int) -> int:
        """When the sample before index `sample` was captured; `otherwise_ns` if nothing was observed yet.

        >>> clock = SampleClock()
        >>> clock.observe(44_100, 5_000_000_000)
        >>> clock.unix_ns(22_050, 0)
        4500000000
        """
        if not self._anchors:
            return otherwise_ns
        later = (anchor for anchor in self._anchors if anchor[0] >= sample)
        anchor, unix_ns = next(later, self._anchors[-1])
        return unix_ns - (anchor - sample) * 1_000_000_000 // SAMPLE_RATE_HZ
