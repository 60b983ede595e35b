"""Decoded audio: every clip once as 44.1 kHz int16 on disk, mapped into memory when read."""

import errno
import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from whoplays.models.errors import DataError, SourceError
from whoplays.models.recordings.decoder import Samples
from whoplays.models.recordings.recording import open_recording
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.files import atomic_write

_ROUNDED_S: Final = 1.0
"""By how much times in an index may be beyond a recording's end, as those that were rounded up."""
_OPEN: Final = 128
"""Recordings mapped at a time: each takes a file descriptor, of which a process has a thousand or so."""


class Skipped(NamedTuple):
    """A clip that could not be read, and why."""

    path: Path
    reason: str


class Library:
    """Clips' audio at 44.1 kHz, decoded when first asked for and kept in a cache folder.

    Args:
        cache: where decoded audio is kept; `$XDG_CACHE_HOME/whoplays` unless given. Safe to delete.

    Raises:
        DataError: the cache folder cannot be made.
    """

    def __init__(self, cache: Path | None = None) -> None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.cache = cache or home / "whoplays"
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.cache} cannot be a cache folder: {error.strerror}") from error
        self._mapped = lru_cache(_OPEN)(self._cached)

    def readable(self, clips: Iterable[Clip]) -> tuple[list[Clip], list[Skipped]]:
        """Decode all clips; those that are missing, damaged, silent or ill-timed are set aside with the reason."""
        good: list[Clip] = []
        skipped: list[Skipped] = []
        for clip in clips:
            reason = self._unusable(clip)
            if reason is None:
                good.append(clip)
            else:
                skipped.append(Skipped(clip.path, reason))
        return good, skipped

    def _unusable(self, clip: Clip) -> str | None:
        """Why a clip cannot be used; None where it can be."""
        try:
            audio, length_s = self.active_audio(clip), self.audio(clip).shape[1] / SAMPLE_RATE_HZ
        except (OSError, SourceError) as error:
            return str(error)
        end_s = max((segment.end_s for segment in clip.timeline), default=0.0)
        if end_s > length_s + _ROUNDED_S:
            return f"its index has something play until {end_s:g} s, and it ends at {length_s:.1f} s"
        if not audio.any():
            return f"it holds no sound{' at the times that its index gives' if clip.timeline else ''}"
        return None

    def audio(self, clip: Clip) -> NDArray[np.int16]:
        """A clip's samples, `int16 [1 or 2, samples]` at 44.1 kHz.

        Raises:
            OSError, SourceError: the file is missing or damaged.
        """
        return self._mapped(clip.path)

    def active_audio(self, clip: Clip) -> NDArray[np.int16]:
        """Only where its labels play, segment after segment; all of it where that is not known.

        Raises:
            OSError, SourceError: the file is missing or damaged.
        """
        audio = self.audio(clip)
        if not clip.timeline:
            return audio
        ends = [(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)) for start_s, end_s in clip.playing_s()]
        return np.concatenate([audio[:, :0], *(audio[:, start:end] for start, end in ends)], axis=1)

    def window(self, clip: Clip, start: int) -> NDArray[np.float32]:
        """Cut `float32 [2, 132300]` in [-1, 1] from sample `start`; zeros follow the clip's end, mono is doubled."""
        return cut(self.audio(clip), start)

    def _cached(self, path: Path) -> NDArray[np.int16]:
        kept = self.cache / f"{hashlib.sha256(stamp(path).encode()).hexdigest()[:32]}.npy"
        mapped: NDArray[np.int16] | None = read_array(kept, mapped=True)
        if mapped is not None:
            return mapped
        decoded = decode(path)
        keep_array(kept, decoded)
        made: NDArray[np.int16] = np.load(kept, mmap_mode="r")
        return made


def stamp(path: Path) -> str:
    """What a file is known by: where it is, how large, and when it was last changed.

    Raises:
        OSError: there is no such file.
    """
    facts = path.stat()
    return f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}"


def read_array(path: Path, *, mapped: bool = False) -> Any:
    """An array that was kept, mapped into memory if asked for; None where there is none, or what is left of one."""
    try:
        return np.load(path, mmap_mode="r" if mapped else None)
    except (OSError, EOFError, ValueError):
        return None


def keep_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array for `read_array`.

    Raises:
        DataError: it cannot be written.
    """
    with atomic_write(path) as unfinished:
        np.save(unfinished, array)
        if read_array(unfinished, mapped=True) is None:
            # numpy does not always notice a full disk.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def decode(path: Path) -> NDArray[np.int16]:
    """Read a file as `int16 [1 or 2, samples]` at 44.1 kHz; channels past the second are left out.

    It is read as `whoplays listen` reads it, in any container, to the last sample that is there.

    Raises:
        SourceError: the file is missing, damaged, or shorter than it states.
    """
    pieces: list[NDArray[np.float32]] = []
    with open_recording(path, path.name) as recording:
        for _, of_one_kind in groupby(recording.read(), lambda samples: (samples.rate_hz, samples.frames.shape[1])):
            pieces.append(_at_44100_hz(list(of_one_kind)))
    channels = max((piece.shape[1] for piece in pieces), default=1)
    whole = [np.broadcast_to(piece, (len(piece), channels)) for piece in pieces]
    rounded = np.round(np.concatenate([np.zeros((0, channels), np.float32), *whole]) * np.iinfo(np.int16).max)
    return np.ascontiguousarray(rounded.T.astype(np.int16))


def _at_44100_hz(pieces: Sequence[Samples]) -> NDArray[np.float32]:
    """Samples of one rate and channel count as `float32 [n, 1 or 2]` in [-1, 1]."""
    samples = np.concatenate([piece.frames[:, :CHANNELS] for piece in pieces])
    samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    if pieces[0].rate_hz != SAMPLE_RATE_HZ:
        samples = soxr.resample(samples, pieces[0].rate_hz, SAMPLE_RATE_HZ)
    clipped: NDArray[np.float32] = np.clip(samples, -1.0, 1.0)
    return clipped


def cut(audio: NDArray[np.int16], start: int) -> NDArray[np.float32]:
    """A window of `int16 [1 or 2, samples]` from `start`, as `float32 [2, 132300]` in [-1, 1], zero-padded."""
    window = np.zeros((CHANNELS, WINDOW_SAMPLES), np.float32)
    piece = audio[:, start : start + WINDOW_SAMPLES]
    window[:, : piece.shape[1]] = piece
    window *= np.float32(1 / np.iinfo(np.int16).max)
    return window
