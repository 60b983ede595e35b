"""When each sample was heard: the sample index mapped onto the machine's clocks."""

import time
from collections import deque
from typing import Final, Protocol

import numpy as np

MARKS: Final = 8192
SECOND_NS: Final = 1_000_000_000
REMEMBERED_S: Final = 120
KNOWN_FROM: Final = 20
STRAY_NS: Final = 500_000_000
STRAYS: Final = 5
WILD: Final = 0.01


class Clock(Protocol):
    """Maps sample indices to monotonic time, from what the source says of the end of each block."""

    newest_ns: int
    """Monotonic time of the newest sample; of the clock's making before the first."""

    def mark(self, index: int, heard_ns: int) -> None:
        """Note that the sample before `index` came at monotonic time `heard_ns`; for the writer."""

    def heard_ns(self, index: int) -> int:
        """Monotonic time at which the sample before `index` was heard; for the reader, who never asks backwards."""

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than nominal the source runs, in millionths; None while that is not known."""


class ScheduleClock:
    """A clock for sources whose times are exact: a file's schedule, or the time of reading.

    Between two marks the time runs at the nominal rate, but never from before the mark that came first: a sample
    cannot have been heard before the block ahead of it.

    Args:
        rate_hz: nominal sample rate.
    """

    drift_ppm: float | None = None

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._marks: Final = deque[tuple[int, int]](maxlen=MARKS)
        self._passed_ns = 0
        self.newest_ns = time.monotonic_ns()

    def mark(self, index: int, heard_ns: int) -> None:
        """Note the end of a block; see `Clock`."""
        self._marks.append((index, heard_ns))
        self.newest_ns = heard_ns

    def heard_ns(self, index: int) -> int:
        """When a sample was heard; see `Clock`."""
        while self._marks[0][0] < index:
            self._passed_ns = self._marks.popleft()[1]
        marked, heard_ns = self._marks[0]
        return max(self._passed_ns, heard_ns - (marked - index) * SECOND_NS // self._rate_hz)


class LiveClock:
    """A clock for sources whose times are those of arrival: never early, often late.

    Of each second of audio only the mark that came least late counts. Through these a line is laid: its slope is the
    median of the slopes between all pairs (Theil, 1950; Sen, 1968), which a third of bad seconds does not move, and it
    lies as low as the marks of the last seconds, because nothing arrives before it was heard. Until there are enough
    of them, the slope is the nominal one, unless it is far off. A delay that has changed for good begins a new line.

    Args:
        rate_hz: nominal sample rate.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self.newest_ns = time.monotonic_ns()
        self._seconds: Final = deque[tuple[int, int]](maxlen=REMEMBERED_S)
        self._best: tuple[int, int] | None = None
        self._strays = 0
        self._line: tuple[int, int, float] | None = None
        self._slope = SECOND_NS / rate_hz

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than nominal the source runs; see `Clock`."""
        if len(self._seconds) < KNOWN_FROM:
            return None
        return (self._nominal_ns / self._slope - 1.0) * 1e6

    def mark(self, index: int, heard_ns: int) -> None:
        """Note the end of a block; see `Clock`."""
        self.newest_ns = heard_ns
        best = self._best
        if best is not None and index // self._rate_hz != best[0] // self._rate_hz:
            self._keep(best)
            best = None
        if best is None or self._lateness_ns(index, heard_ns) < self._lateness_ns(*best):
            self._best = (index, heard_ns)
        if self._line is None or self._lateness_ns(index, heard_ns) < 0:
            self._line = (index, heard_ns, self._slope)

    def heard_ns(self, index: int) -> int:
        """When a sample was heard; see `Clock`."""
        if self._line is None:
            return self.newest_ns
        at, heard_ns, slope = self._line
        return heard_ns + round((index - at) * slope)

    @property
    def _nominal_ns(self) -> float:
        return SECOND_NS / self._rate_hz

    def _lateness_ns(self, index: int, heard_ns: int) -> int:
        return heard_ns - self.heard_ns(index)

    def _keep(self, best: tuple[int, int]) -> None:
        """Take in the least late mark of a second that is over."""
        self._strays = self._strays + 1 if self._lateness_ns(*best) > STRAY_NS else 0
        if self._strays >= STRAYS:
            self._begin_again(best)
        self._seconds.append(best)
        if len(self._seconds) >= STRAYS:
            self._fit()

    def _begin_again(self, best: tuple[int, int]) -> None:
        self._seconds.clear()
        self._slope, self._strays = self._nominal_ns, 0
        self._line = (*best, self._nominal_ns)

    def _fit(self) -> None:
        index, heard_ns = (np.array(column, np.float64) for column in zip(*self._seconds, strict=True))
        first, second = np.triu_indices(len(index), 1)
        slope = float(np.median((heard_ns[second] - heard_ns[first]) / (index[second] - index[first])))
        if len(index) < KNOWN_FROM and abs(slope / self._nominal_ns - 1.0) < WILD:
            return
        at, at_ns = self._seconds[-1]
        above = heard_ns - at_ns - (index - at) * slope
        self._slope = slope
        self._line = (at, at_ns + int(above[-KNOWN_FROM:].min()), slope)


def wall_ns(monotonic_ns: int) -> int:
    """The wall time (Unix epoch) of a moment on the monotonic clock, by the clocks as they stand now."""
    return time.time_ns() - (time.monotonic_ns() - monotonic_ns)
