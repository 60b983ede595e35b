"""Samples kept to what models take: numbers in [-1, 1]."""

from typing import Final, NamedTuple

import numpy as np

from whoplays.models.errors import SourceError
from whoplays.models.signal import CHANNELS
from whoplays.stream.audio.block import Audio

ABSURD: Final = 10.0
"""A recording that was mixed too loud stays below it; integers that were taken for floats do not."""


class Clipped(NamedTuple):
    """A block whose samples are all in [-1, 1]."""

    audio: Audio
    invalid: slice | None
    """Where zeros stand for samples that were no numbers, from the first to the last of them."""


class Clipper:
    """Clips a stream's samples, block by block, and counts what it changes."""

    def __init__(self) -> None:
        self.clipped_samples = 0
        """Samples that were beyond [-1, 1], in any channel."""
        self.absurd_samples = 0
        """Of these, how many were more than ten times beyond."""
        self.invalid_samples = 0
        """Samples that were no numbers, and those between them."""

    def clip(self, audio: Audio) -> Clipped:
        """Clip the next block.

        Args:
            audio: `[2, n]` float32, any n; it stays as it is.

        Raises:
            SourceError: it has another shape or type.
        """
        if not isinstance(audio, np.ndarray) or audio.ndim != 2 or len(audio) != CHANNELS or audio.dtype != np.float32:
            found = f"{audio.dtype} {list(audio.shape)}" if isinstance(audio, np.ndarray) else type(audio).__name__
            raise SourceError(f"blocks must be float32 [{CHANNELS}, n], not {found}")
        # False for NaN as well.
        if audio.size == 0 or (audio.max() <= 1.0 and audio.min() >= -1.0):
            return Clipped(audio, None)
        return self._changed(audio)

    def _changed(self, audio: Audio) -> Clipped:
        invalid = self._invalid(audio)
        changed = audio.copy()
        if invalid:
            changed[:, invalid] = 0.0
            self.invalid_samples += invalid.stop - invalid.start
        peaks = np.abs(changed).max(axis=0)
        self.clipped_samples += int(np.count_nonzero(peaks > 1.0))
        self.absurd_samples += int(np.count_nonzero(peaks > ABSURD))
        return Clipped(np.clip(changed, -1.0, 1.0), invalid)

    def _invalid(self, audio: Audio) -> slice | None:
        at = np.flatnonzero(~np.isfinite(audio).all(axis=0))
        return slice(int(at[0]), int(at[-1]) + 1) if at.size else None
