"""Clocks: what times are made of, why samples are missing on them, and what happened lately."""

import time
from collections.abc import Callable
from typing import Final, Literal

ClockKind = Literal["adc", "arrival", "file"]
"""What heard-times are made of: the converter's clock, the time of arrival here, or a file's own schedule (which it has
only in real time: at `max` speed, the time of reading)."""

GapCause = Literal["overflow", "network", "device_lost", "overload"]
"""Why samples were lost: a device was not read in time, packets did not arrive, the input went away, or inference could
not keep up."""

LATELY_NS: Final = 10_000_000_000
"""So long is a trouble told after it last occurred."""


class RecentIncreases:
    """Tells which of some counts have risen in the last ten seconds. One thread looks, any may ask.

    Args:
        clock: monotonic time in ns.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock: Final = clock
        self._counts: dict[str, int] = {}
        self._risen_ns: Final[dict[str, int]] = {}

    def look(self, **counts: int) -> None:
        """See which counts have risen since the last look; at the first one, which are not 0."""
        now_ns = self._clock()
        for name, count in counts.items():
            if count > self._counts.get(name, 0):
                self._risen_ns[name] = now_ns
        self._counts = counts

    def risen(self) -> set[str]:
        """The names of those that have risen lately."""
        since_ns = self._clock() - LATELY_NS
        # A copy, because who looks may add to it meanwhile.
        return {name for name, risen_ns in self._risen_ns.copy().items() if risen_ns > since_ns}


def wall_ns(monotonic_ns: int) -> int:
    """The wall time (Unix epoch) of a moment on the monotonic clock, by the clocks as they stand now."""
    return time.time_ns() - (time.monotonic_ns() - monotonic_ns)
