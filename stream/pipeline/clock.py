"""When each sample was captured: the sample index mapped onto the machine's clocks."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

MARKS: Final = 8192
SECOND_NS: Final = 1_000_000_000
REMEMBERED_S: Final = 120
KNOWN_FROM: Final = 20
TOLD_FROM: Final = 5
STRAY_NS: Final = 150_000_000
PATIENCE_NS: Final = 5_000_000_000
WILD: Final = 0.01


class Mark(NamedTuple):
    """The sample before index `end` came at monotonic time `captured_at_ns`."""

    end: int
    captured_at_ns: int


class ClockFit(NamedTuple):
    """Time by sample index."""

    at: Mark
    slope_ns: float
    """Nanoseconds a sample."""

    def captured_at_ns(self, index: int) -> int:
        """When the sample before `index` was captured."""
        return self.at.captured_at_ns + round((index - self.at.end) * self.slope_ns)

    def late_ns(self, mark: Mark) -> int:
        """How much later than the line says a mark came."""
        return mark.captured_at_ns - self.captured_at_ns(mark.end)


class Clock(Protocol):
    """Maps sample indices to monotonic time, from what the source says of the end of each block."""

    newest_at_ns: int
    """Monotonic time of the newest sample; of the clock's making before the first."""

    def observe(self, index: int, captured_at_ns: int) -> None:
        """Note that the sample before `index` came at monotonic time `captured_at_ns`; for the writer."""

    def captured_at_ns(self, index: int) -> int:
        """Monotonic time at which the sample before `index` was captured; for the reader, who never asks backwards."""

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than nominal the source runs, in millionths; None while that is not known."""


class ScheduleClock:
    """A clock for sources whose times are exact: a file's schedule, or the time of reading.

    Between two marks the time runs at the nominal rate, but never from before the mark that came first: a sample
    cannot have been captured before the block ahead of it.

    Args:
        rate_hz: nominal sample rate.
    """

    drift_ppm: float | None = None

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._marks: Final = deque[tuple[int, int]](maxlen=MARKS)
        self._passed_ns = 0
        self.newest_at_ns = time.monotonic_ns()

    def observe(self, index: int, captured_at_ns: int) -> None:
        """Note the end of a block; see `Clock`."""
        self._marks.append((index, captured_at_ns))
        self.newest_at_ns = captured_at_ns

    def captured_at_ns(self, index: int) -> int:
        """When a sample was captured; see `Clock`."""
        while self._marks[0][0] < index:
            self._passed_ns = self._marks.popleft()[1]
        marked, captured_at_ns = self._marks[0]
        return max(self._passed_ns, captured_at_ns - (marked - index) * SECOND_NS // self._rate_hz)


class LiveClock:
    """A clock for sources whose times are those of arrival: never early, often late.

    Of each second of audio only the mark that came least late counts. Through these a line is laid: its slope is the
    median of the slopes between all pairs (Theil, 1950; Sen, 1968), which a third of bad seconds does not move, and it
    lies as low as the marks of the last seconds, because nothing arrives before it was captured. Until there are enough
    of them, the slope is the nominal one, unless it is far off. A new line begins when samples come much earlier than
    the line allows (the sender left some out), or later for seconds on end (its delay has changed for good).

    Args:
        rate_hz: nominal sample rate.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self.newest_at_ns = time.monotonic_ns()
        self._seconds: Final = deque[Mark](maxlen=REMEMBERED_S)
        self._best: Mark | None = None
        self._strayed_ns: int | None = None
        self._line: ClockFit | None = None

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than nominal the source runs; see `Clock`."""
        if self._line is None or len(self._seconds) < KNOWN_FROM:
            return None
        return (self._nominal_ns / self._line.slope_ns - 1.0) * 1e6

    def observe(self, index: int, captured_at_ns: int) -> None:
        """Note the end of a block; see `Clock`."""
        self.newest_at_ns = captured_at_ns
        mark = Mark(index, captured_at_ns)
        if self._line is None or self._line.late_ns(mark) < -STRAY_NS:
            self._begin_again(mark)
        elif self._line.late_ns(mark) < 0:
            self._line = ClockFit(mark, self._line.slope_ns)
        self._choose(mark)

    def captured_at_ns(self, index: int) -> int:
        """When a sample was captured; see `Clock`."""
        return self.newest_at_ns if self._line is None else self._line.captured_at_ns(index)

    @property
    def _nominal_ns(self) -> float:
        return SECOND_NS / self._rate_hz

    def _choose(self, mark: Mark) -> None:
        """Remember the least late mark of each second."""
        best = self._best
        if best is not None and mark.end // self._rate_hz != best.end // self._rate_hz:
            self._keep(best)
            best = None
        if best is None or self._lateness_ns(mark) < self._lateness_ns(best):
            self._best = mark

    def _lateness_ns(self, mark: Mark) -> float:
        return mark.captured_at_ns - mark.end * self._nominal_ns

    def _keep(self, best: Mark) -> None:
        """Take in the least late mark of a second that is over."""
        line = fit(self._seconds) if len(self._seconds) >= TOLD_FROM else None
        if line is None or line.late_ns(best) <= STRAY_NS:
            self._strayed_ns = None
        elif self._strayed_ns is None:
            self._strayed_ns = best.captured_at_ns
        elif best.captured_at_ns - self._strayed_ns >= PATIENCE_NS:
            self._begin_again(best)
        self._seconds.append(best)
        self._follow()

    def _begin_again(self, mark: Mark) -> None:
        self._seconds.clear()
        self._best, self._strayed_ns = None, None
        self._line = ClockFit(mark, self._nominal_ns)

    def _follow(self) -> None:
        if len(self._seconds) < TOLD_FROM:
            return
        line = fit(self._seconds)
        wild = abs(line.slope_ns / self._nominal_ns - 1.0) > WILD
        if wild or len(self._seconds) >= KNOWN_FROM:
            self._line = line


def fit(marks: Sequence[Mark]) -> ClockFit:
    """The line through marks, below the newest of them."""
    index, captured_at_ns = (np.array(column, np.float64) for column in zip(*marks, strict=True))
    first, second = np.triu_indices(len(index), 1)
    slope_ns = float(np.median((captured_at_ns[second] - captured_at_ns[first]) / (index[second] - index[first])))
    last = marks[-1]
    above = captured_at_ns - last.captured_at_ns - (index - last.end) * slope_ns
    return ClockFit(Mark(last.end, last.captured_at_ns + int(above[-KNOWN_FROM:].min())), slope_ns)
