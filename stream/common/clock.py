"""Clocks: what times are made of, why samples are missing on them, and what happened lately."""

import time
from collections.abc import Callable
from typing import Final, Literal

ClockKind = Literal["adc", "arrival", "file"]
"""What capture times are made of: the converter's clock, the time of arrival here, or a file's own schedule (which it
has only in real time: at `max` speed, the time of reading)."""

GapCause = Literal["overflow", "network", "device_lost", "overload"]
"""Why samples were lost: a device was not read in time, packets did not arrive, the input went away, or inference could
not keep up."""

RECENT_NS: Final = 10_000_000_000
"""How long an increase counts as recent."""


class RecentIncreases:
    """Which of some counts have increased in the last ten seconds. One thread updates, any may ask.

    Args:
        clock: monotonic time in ns.
    """

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
