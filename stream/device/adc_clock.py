"""When a device's frames were heard."""

from typing import Final

OLDEST_S: Final = 10.0
"""Frames may have waited in the system's buffers this long; what seems older has a clock that cannot be right."""
AHEAD_S: Final = 0.05
"""The converter's clock may be ahead of the time of the call by this much."""
PROOF_S: Final = 0.5
"""How much audio it takes to tell whether the converter's clock runs."""
STRAY_S: Final = 0.3
"""How far it may stray from the audio meanwhile: sound servers find their pace only after some tenths of a second."""


class AdcClock:
    """The monotonic time at which frames were heard: the converter's time where it is sane, that of arrival elsewhere.

    PortAudio tells when the first frame of a buffer was converted, on the same clock as its present time. Sound
    servers and drivers may leave that at zero, at a constant, or anywhere at all, so it is believed only if it moves
    on from call to call and lies within seconds of the present.

    Args:
        rate_hz: of the frames.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz: Final = rate_hz
        self._first_s: float | None = None
        self._newest_s = 0.0
        self._frames_before_newest = 0
        self._frames = 0
        self._doubts = 0

    @property
    def proven(self) -> bool:
        """Whether the converter's time has been sane all along, and has moved on as the audio did."""
        audio_s = self._frames_before_newest / self._rate_hz
        if self._first_s is None or self._doubts or audio_s < PROOF_S:
            return False
        return abs(self._newest_s - self._first_s - audio_s) <= STRAY_S

    def heard_ns(self, frames: int, now_ns: int, adc_s: float, current_s: float) -> int:
        """When the last of some frames was heard, on the monotonic clock.

        Args:
            frames: how many there are.
            now_ns: present time, on the monotonic clock.
            adc_s: when the first of them was converted, as PortAudio says.
            current_s: present time on that clock.
        """
        self._frames_before_newest = self._frames
        self._frames += frames
        sane = adc_s > self._newest_s and -AHEAD_S <= current_s - adc_s <= OLDEST_S
        if not sane:
            self._doubts += 1
            return now_ns
        self._first_s = adc_s if self._first_s is None else self._first_s
        self._newest_s = adc_s
        # Nothing is heard in the future, whatever a clock says.
        return min(now_ns, now_ns + round((adc_s - current_s + frames / self._rate_hz) * 1e9))
