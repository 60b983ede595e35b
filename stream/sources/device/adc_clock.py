"""When a device's frames were heard."""

from collections import deque
from typing import Final

OLDEST_S: Final = 10.0
"""Frames may have waited in the system's buffers this long; what seems older has a clock that cannot be right."""
AHEAD_S: Final = 0.05
"""The converter's clock may be ahead of the time of the call by this much."""
PROOF_S: Final = 0.5
"""How long it takes to tell whether the converter's clock runs."""
STRAY_S: Final = 0.15
"""How much further behind the present it may be then; what had piled up before may bring it closer by any length."""
EARLY_S: Final = 0.3
"""Frames cannot have been heard further ahead of the promptest arrivals: no more is asked to be buffered."""
REMEMBERED: Final = 500
"""Calls among which those are found: some ten seconds."""


class AdcClock:
    """The monotonic time at which frames were heard: the converter's time where it is sane, that of arrival elsewhere.

    PortAudio tells when the first frame of a buffer was converted, on the same clock as its present time. Sound
    servers and drivers may leave that at zero, at a constant, or anywhere at all, so it is believed only if it moves
    and lies within seconds of the present. (It may step back a little: servers estimate it.) It tells what was heard
    on time but came late, as after a standstill; but what came no later than ever was not heard long before.

    Args:
        rate_hz: of the frames.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz: Final = rate_hz
        self._newest_s = 0.0
        self._began_s: float | None = None
        self._began_age_s = 0.0
        self._current_s = 0.0
        self._doubts = 0
        self._frames = 0
        self._arrivals_ns: Final = deque[int](maxlen=REMEMBERED)

    @property
    def proven(self) -> bool:
        """Whether the converter's time has been sane all along, and has moved on as time does."""
        if self._began_s is None or self._doubts or self._current_s - self._began_s < PROOF_S:
            return False
        return self._current_s - self._newest_s - self._began_age_s <= STRAY_S

    def captured_at_ns(self, frames: int, now_ns: int, adc_s: float, current_s: float) -> int:
        """When the last of some frames was heard, on the monotonic clock.

        Args:
            frames: how many there are.
            now_ns: present time, on the monotonic clock.
            adc_s: when the first of them was converted, as PortAudio says.
            current_s: present time on that clock.
        """
        earliest_ns = self._earliest_ns(frames, now_ns)
        age_s = current_s - adc_s
        if not (adc_s != self._newest_s and -AHEAD_S <= age_s <= OLDEST_S):
            self._doubts += 1
            return now_ns
        if self._began_s is None:
            self._began_s, self._began_age_s = current_s, age_s
        self._newest_s, self._current_s = adc_s, current_s
        captured_at_ns = now_ns + round((frames / self._rate_hz - age_s) * 1e9)
        # Nothing is heard in the future, whatever a clock says.
        return min(now_ns, max(captured_at_ns, earliest_ns))

    def _earliest_ns(self, frames: int, now_ns: int) -> int:
        """When the last of some frames can have been heard at the earliest, had none been lost."""
        self._frames += frames
        since_first_ns = self._frames * 1_000_000_000 // self._rate_hz
        self._arrivals_ns.append(now_ns - since_first_ns)
        return min(self._arrivals_ns) + since_first_ns - round(EARLY_S * 1e9)
