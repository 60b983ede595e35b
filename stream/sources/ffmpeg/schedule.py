"""When the samples of a broadcast are played."""

from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ

SURVEY_SAMPLES: Final = 10 * SAMPLE_RATE_HZ
MOST_LATE_NS: Final = 250_000_000
CUSHION_NS: Final = 1_000_000_000
CATCH_UP_NS: Final = 2_000_000
"""In each survey of 10 s: 200 ppm, more than the clocks of sound cards differ."""


class Schedule:
    """Plays a broadcast as any player does: from its first sample on, in real time; what comes early waits.

    Servers send several seconds at once to whoever connects (Icecast's burst, HLS's segments). They are played when
    they are due, so nothing is heard before its time, nor more at once than can be judged; the burst becomes the
    cushion that outlasts a stall. After a stall what is overdue is played at once, with the time it was due.

    Every 10 s of samples their least lateness since the survey before tells three things apart:

    - All were late, by much: the samples that should have come in between never will. They are missing.
    - All were late, by little: the sender's clock is slower than ours. The schedule follows it.
    - All waited for more than 1 s: the sender's clock may be faster than ours. The schedule goes a little faster, or
      the lag would grow for days.

    So the sample index stays true to the time, and the lag is bounded by the burst.
    """

    def __init__(self) -> None:
        self._start_ns: int | None = None
        self._samples = 0
        self._least_late_ns: int | None = None
        self._survey_at = SURVEY_SAMPLES

    def due_ns(self, samples: int, arrived_ns: int | None) -> int:
        """When the last one of the next samples is due.

        Args:
            samples: how many.
            arrived_ns: when they arrived; None if they stand for what was lost.
        """
        if self._start_ns is None:
            self._start_ns = (arrived_ns or 0) - _duration_ns(samples)
        self._samples += samples
        due_ns = self._start_ns + _duration_ns(self._samples)
        if arrived_ns is not None:
            late_ns = arrived_ns - due_ns
            self._least_late_ns = late_ns if self._least_late_ns is None else min(self._least_late_ns, late_ns)
        return due_ns

    def missing(self) -> int:
        """How many samples have to be made up for before the next ones: they never came."""
        if self._samples < self._survey_at or self._least_late_ns is None or self._start_ns is None:
            return 0
        late_ns, self._least_late_ns = self._least_late_ns, None
        self._survey_at = self._samples + SURVEY_SAMPLES
        if late_ns > MOST_LATE_NS:
            return late_ns * SAMPLE_RATE_HZ // 1_000_000_000
        if late_ns > 0:
            self._start_ns += late_ns
        elif late_ns < -CUSHION_NS:
            self._start_ns -= CATCH_UP_NS
        return 0


def _duration_ns(samples: int) -> int:
    return samples * 1_000_000_000 // SAMPLE_RATE_HZ
