"""Recorded rooms: impulse responses, one a file."""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.training.data.library import decode

_SUFFIXES: Final = frozenset({".wav", ".mp3", ".flac", ".ogg"})


def read_rooms(folder: Path) -> list[NDArray[np.float32]]:
    """The impulse responses in a folder, in mono `float32 [samples]`; the first sample of each is 1.

    Raises:
        DataError: the folder holds none, or one that cannot be read or is silent.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise DataError(f"{folder} holds no impulse response (.wav, .mp3, .flac or .ogg)")
    responses = (read_response(path, mono=True)[0] for path in files)
    return [response / response[0] for response in responses]


def read_response(path: Path, *, mono: bool = False) -> NDArray[np.float32]:
    """An impulse response, `float32 [1 or 2, samples]`, from its loudest sample on.

    Raises:
        DataError: it cannot be read, or is silent.
    """
    try:
        samples = decode(path).astype(np.float32)
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(f"{path} is no impulse response: {error}") from error
    heard = samples.mean(axis=0, keepdims=True) if mono else samples
    if not heard.any():
        raise DataError(f"{path} is no impulse response: it holds no sound")
    return heard[:, np.abs(heard).max(axis=0).argmax() :]
