"""When a device's frames were captured."""

from collections import deque
from typing import Final

MAX_AGE_S: Final = 10.0
"""Frames may have waited in the system's buffers this long; what seems older has a clock that cannot be right."""
MAX_AHEAD_S: Final = 0.05
"""The converter's clock may be ahead of the time of the call by this much."""
PROOF_S: Final = 0.5
"""How long it takes to know whether the converter's clock runs."""
MAX_STRAY_S: Final = 0.15
"""How much further behind the present it may be then; what had piled up before may bring it closer by any length."""
MAX_EARLY_S: Final = 0.3
"""Frames cannot have been captured further ahead of the promptest arrivals: no more is asked to be buffered."""
REMEMBERED_CALLS: Final = 500
"""Those arrivals are found among so many: some ten seconds."""


class AdcClock:
    """The monotonic time at which frames were captured: the converter's time where it is sane, else that of arrival.

    PortAudio reports when the first frame of a buffer was converted, on the same clock as its present time. Sound
    servers and drivers may leave that at zero, at a constant, or anywhere at all, so it is believed only if it moves
    and lies within seconds of the present. (It may step back a little: servers estimate it.) It shows what was captured
    on time but came late, as after a standstill; but what came no later than ever was not captured long before.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz: Final = rate_hz
        self._last_adc_s = 0.0
        self._first_current_s: float | None = None
        self._first_age_s = 0.0
        self._current_s = 0.0
        self._doubtful = False
        self._frames = 0
        self._arrivals_ns: Final = deque[int](maxlen=REMEMBERED_CALLS)

    @property
    def proven(self) -> bool:
        """Whether the converter's time has been sane all along, and has moved on as time does."""
        if self._first_current_s is None or self._doubtful or self._current_s - self._first_current_s < PROOF_S:
            return False
        return self._current_s - self._last_adc_s - self._first_age_s <= MAX_STRAY_S

    def captured_at_ns(self, frames: int, now_ns: int, adc_s: float, current_s: float) -> int:
        """When the last of some frames was captured, on the monotonic clock.

        Args:
            frames: how many there are.
            now_ns: present time, on the monotonic clock.
            adc_s: when the first of them was converted, as PortAudio reports.
            current_s: present time on that clock.
        """
        self._frames += frames
        since_first_ns = self._frames * 1_000_000_000 // self._rate_hz
        self._arrivals_ns.append(now_ns - since_first_ns)
        age_s = current_s - adc_s
        if not (adc_s != self._last_adc_s and -MAX_AHEAD_S <= age_s <= MAX_AGE_S):
            self._doubtful = True
            return now_ns
        if self._first_current_s is None:
            self._first_current_s, self._first_age_s = current_s, age_s
        self._last_adc_s, self._current_s = adc_s, current_s
        captured_at_ns = now_ns + round((frames / self._rate_hz - age_s) * 1e9)
        earliest_ns = min(self._arrivals_ns) + since_first_ns - round(MAX_EARLY_S * 1e9)
        # Nothing is captured in the future, whatever a clock says.
        return min(now_ns, max(captured_at_ns, earliest_ns))
