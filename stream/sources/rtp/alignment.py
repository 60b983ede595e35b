"""Telling loose timestamps from time that is really missing."""

from typing import Final

LOOSE_S: Final = 0.04
"""So far may a timestamp be off while no packet is missing; GStreamer's `alignment-threshold` is the same."""
PATIENCE_S: Final = 1.0


def loose_frames(rate_hz: int) -> int:
    """How many frames a timestamp may be off."""
    return int(LOOSE_S * rate_hz)


class Alignment:
    """Judges by how much a packet that follows the one before misses the place that its timestamp names.

    Some senders stamp loosely: they round, or take over what a file says of itself (ffmpeg playing Vorbis is 10 ms off
    now and then, and a moment later right again). Where no packet is missing, such a step is neither a loss nor heard
    twice. It is real if it is large, or stays for a second.
    """

    def __init__(self, rate_hz: int) -> None:
        self._loose_frames: Final = loose_frames(rate_hz)
        self._patience_frames: Final = int(PATIENCE_S * rate_hz)
        self._sign = 0
        self._since = 0

    def is_real(self, deviation: int, at: int) -> bool:
        """Whether a packet at frame `at`, so many frames off, belongs where its timestamp says."""
        sign = (deviation > 0) - (deviation < 0)
        if sign != self._sign:
            self._sign, self._since = sign, at
        return abs(deviation) > self._loose_frames or at - self._since >= self._patience_frames
