"""Impulse responses of rooms: recorded, one a file, or made up."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.models.errors import DataError, SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.data.library import decode

_SUFFIXES: Final = frozenset({".wav", ".mp3", ".flac", ".ogg"})


def read_impulse_responses(folder: Path) -> list[NDArray[np.float32]]:
    """The impulse responses in a folder, in mono `float32 [samples]`; the first sample of each is 1.

    Raises:
        DataError: the folder holds none, or one that cannot be read or is silent.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise DataError(f"{folder} holds no impulse response (.wav, .mp3, .flac or .ogg)")
    responses = (read_impulse_response(path, mono=True)[0] for path in files)
    return [response / response[0] for response in responses]


def read_impulse_response(path: Path, *, mono: bool = False) -> NDArray[np.float32]:
    """An impulse response, `float32 [1 or 2, samples]`, from its loudest sample on.

    Raises:
        DataError: it cannot be read, or is silent.
    """
    try:
        samples = decode(path).astype(np.float32)
    except SourceError as error:
        raise DataError(f"{path} is not an impulse response: {error}") from error
    audio = samples.mean(axis=0, keepdims=True) if mono else samples
    if not audio.any():
        raise DataError(f"{path} is not an impulse response: it holds no sound")
    return audio[:, np.abs(audio).max(axis=0).argmax() :]


def synthetic_response(rng: np.random.Generator, longest_samples: int) -> NDArray[np.float32]:
    """A room of 0.15 to 2.5 s: direct sound and an exponentially decaying tail of noise, darker as it decays.

    Source: Moorer, "About This Reverberation Business" (1979).

    Shape: `float32 [samples]`, the first of which is 1
    """
    reverberation_s = rng.uniform(0.15, 2.5)
    seconds = np.arange(min(int(reverberation_s * SAMPLE_RATE_HZ), longest_samples), dtype=np.float32) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(seconds), dtype=np.float32) * np.exp(-6.9 * seconds / reverberation_s)
    tail[1:] += rng.uniform(0, 0.9) * tail[:-1]
    response = tail * np.float32(10 ** (rng.uniform(-24, -2) / 20) / np.sqrt(np.square(tail).sum()))
    response[0] = 1.0
    return response
