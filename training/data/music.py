"""Unlabelled music: a folder of recordings of which nobody says what plays in them."""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data.columns import read_rows
from whoplays.training.data.library import seconds

_SUFFIXES: Final = frozenset({".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"})
_TRIES: Final = 20
_QUIETEST: Final = 1e-3
_NO_LICENCE: Final = "none stated"


class Music:
    """Windows from anywhere in a folder's recordings; a recording counts by the root of its length.

    Raises:
        DataError: there is no such folder, or it holds no recording of a window's length.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"there is no folder {folder}")
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        lengths_s = {path: _length_s(path) for path in files}
        self._files = [path for path in files if lengths_s[path] > WINDOW_SAMPLES / SAMPLE_RATE_HZ]
        if not self._files:
            raise DataError(f"{folder} holds no recording of three seconds or more")
        roots = np.sqrt([lengths_s[path] for path in self._files])
        self._weights = roots / roots.sum()

    def draw(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """A window that is not silent, as mono.

        Shape: `float32 [132300]`

        Raises:
            DataError: twenty windows in a row could not be read or were silent.
        """
        for _ in range(_TRIES):
            path = self._files[int(rng.choice(len(self._files), p=self._weights))]
            window = _window(path, rng)
            if window is not None and np.abs(window).max() > _QUIETEST:
                return window
        raise DataError(f"no recording like {path} can be read, or all are silent")


def licences(folder: Path) -> list[tuple[str, str]]:
    """Names and licences of what a folder holds, from its `licences.csv` (name, licence), else its own name.

    Raises:
        DataError: `licences.csv` is not such a table.
    """
    path = folder / "licences.csv"
    if not path.is_file():
        return [(folder.resolve().name, _NO_LICENCE)]
    return sorted((row["name"], row["licence"] or _NO_LICENCE) for _, row in read_rows(path, ("name", "licence")))


def _length_s(path: Path) -> float:
    """0 where it is damaged, or does not say how long it is: nothing could be drawn from it."""
    try:
        return seconds(path) or 0.0
    except soundfile.LibsndfileError:
        return 0.0


def _window(path: Path, rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Three seconds of a recording; None where it is damaged."""
    try:
        with soundfile.SoundFile(path) as file:
            wanted = int(np.ceil(WINDOW_SAMPLES * file.samplerate / SAMPLE_RATE_HZ)) + 1
            file.seek(int(rng.integers(max(file.frames - wanted, 1))))
            mono = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
            rate_hz = file.samplerate
    except soundfile.LibsndfileError:
        return None
    if rate_hz != SAMPLE_RATE_HZ:
        mono = soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ)
    window = np.zeros(WINDOW_SAMPLES, np.float32)
    window[: len(mono)] = np.nan_to_num(mono[:WINDOW_SAMPLES])
    return window
