"""When each sample was heard: the sample index mapped onto the machine's clocks."""

import time
from collections import deque
from typing import Final

MARKS: Final = 8192


class SampleClock:
    """Maps sample indices to monotonic time, from what the source said of the end of each block.

    Between two marks the time runs at the nominal rate, but never from before the mark that came first: a sample
    cannot have been heard before the block ahead of it.

    Args:
        rate_hz: nominal sample rate.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._marks: Final = deque[tuple[int, int]](maxlen=MARKS)
        self._passed_ns = 0
        self.newest_ns = time.monotonic_ns()
        """Monotonic time of the newest sample; of the clock's making before the first."""

    def mark(self, index: int, heard_ns: int) -> None:
        """Note that the sample before `index` was heard at monotonic time `heard_ns`; for the writer."""
        self._marks.append((index, heard_ns))
        self.newest_ns = heard_ns

    def heard_ns(self, index: int) -> int:
        """Monotonic time at which the sample before `index` was heard; for the reader, who never asks backwards."""
        while self._marks[0][0] < index:
            self._passed_ns = self._marks.popleft()[1]
        marked, heard_ns = self._marks[0]
        return max(self._passed_ns, heard_ns - (marked - index) * 1_000_000_000 // self._rate_hz)


def wall_ns(monotonic_ns: int) -> int:
    """The wall time (Unix epoch) of a moment on the monotonic clock, by the clocks as they stand now."""
    return time.time_ns() - (time.monotonic_ns() - monotonic_ns)
