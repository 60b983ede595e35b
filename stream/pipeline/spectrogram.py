"""The spectrogram of a stream, computed as its audio arrives."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.models.spectrogram import BANDS, FRAMES, HOP_SAMPLES, Spectrograph
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.level import HopLevels, Level
from whoplays.stream.pipeline.ring import RingBuffer

WINDOW_HOPS: Final = WINDOW_SAMPLES // HOP_SAMPLES
BEHIND_HOPS: Final = WINDOW_HOPS - FRAMES
"""A frame is complete with the hop so many after the one that it begins with."""
CHUNK_HOPS: Final = 32


class SpectrogramRing:
    """Frames of the newest samples of one stream, and how loud each hop was; for the reader of its ring buffer.

    Args:
        ring: from which the samples are read.
    """

    def __init__(self, ring: RingBuffer) -> None:
        self._ring: Final = ring
        self._capacity: Final = ring.capacity_samples // HOP_SAMPLES
        self._frames: Final = np.zeros((self._capacity, BANDS), np.float32)
        self._levels: Final = HopLevels(self._capacity)
        self._spectrograph: Final = Spectrograph()
        # The hops before, which the next frames begin with, and behind them new ones.
        self._audio: Final = np.zeros((CHANNELS, (BEHIND_HOPS + CHUNK_HOPS) * HOP_SAMPLES), np.float32)
        self._origin = 0
        self._valid_from = 0
        self._hops = 0

    def begin_at(self, index: int) -> None:
        """Count hops from another sample index than 0; before the ring counts from there."""
        self._origin = index

    @property
    def waiting(self) -> int:
        """How many whole hops were written that are not computed yet."""
        return (self._ring.written - self._origin) // HOP_SAMPLES - self._hops

    def update(self) -> None:
        """Compute what has come since."""
        while (hops := min(self.waiting, CHUNK_HOPS)) > 0:
            start = self._origin + self._hops * HOP_SAMPLES
            new = self._audio[:, BEHIND_HOPS * HOP_SAMPLES : (BEHIND_HOPS + hops) * HOP_SAMPLES]
            if self._ring.read(start, new):
                self._compute(hops)
                self._hops += hops
            else:
                # Overwritten: go on behind it.
                self._hops += (self._ring.oldest - start) // HOP_SAMPLES + 1
                self._valid_from = self._hops

    def read(self, start: int, out: Audio) -> bool:
        """Copy the frames of the window that begins at a sample index.

        Args:
            start: a whole number of hops after the beginning.
            out: `[298, 128]` float32.

        Returns:
            False if some of them are not there any more, as their samples were overwritten.
        """
        self.update()
        if self._hop(start) < max(self._valid_from, self._hops - self._capacity):
            return False
        # A frame stands where the hop stands that completes it.
        np.take(self._frames, self._places(start)[BEHIND_HOPS:], axis=0, out=out, mode="clip")
        return True

    def level(self, start: int) -> Level:
        """How loud the window is that was read last."""
        return self._levels.level(self._places(start))

    def _hop(self, start: int) -> int:
        return (start - self._origin) // HOP_SAMPLES

    def _places(self, start: int) -> NDArray[np.intp]:
        first = self._hop(start)
        return np.arange(first, first + WINDOW_HOPS) % self._capacity

    def _compute(self, hops: int) -> None:
        audio = self._audio[:, : (BEHIND_HOPS + hops) * HOP_SAMPLES]
        places = np.arange(self._hops, self._hops + hops) % self._capacity
        frames = np.empty((hops, BANDS), np.float32)
        self._spectrograph.compute(audio, frames)
        self._frames[places] = frames
        self._levels.put(places, audio[:, BEHIND_HOPS * HOP_SAMPLES :].reshape(CHANNELS, hops, HOP_SAMPLES))
        self._audio[:, : BEHIND_HOPS * HOP_SAMPLES] = audio[:, hops * HOP_SAMPLES :]
