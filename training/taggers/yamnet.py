"""YAMNet: an AudioSet tagger, MobileNet v1, 3.7 M parameters, 521 classes (Plakal and Ellis, 2020; Apache-2.0).

Source: github.com/tensorflow/models, research/audioset/yamnet. Its TFLite file takes 0.975 s of mono at 16 kHz, and has
the names of its classes zipped to its end.
"""

import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.models.labels import KNOWN
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.models.tflite import open_interpreter
from whoplays.training.taggers.audioset import AudioSetTagger

_FRAME_SAMPLES: Final = 15_600
"""At 16 kHz."""
_HOP_SAMPLES: Final = _FRAME_SAMPLES // 2
"""Half a frame, so that what one frame's edge fades out is in the middle of another."""
_RATE_HZ: Final = 16_000
_NAMES: Final = "yamnet_label_list.txt"


def yamnet(path: Path, threads: int = 1) -> AudioSetTagger:
    """YAMNet's scores: of each class, the mean over a window's frames.

    Args:
        path: its TFLite file.

    Raises:
        DataError: there is no such file, it is not YAMNet, or the extra `peers` is not installed.
    """
    columns = _columns(path)
    network = _Network(path, threads)

    def scores(mono: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([_frames(window, network).mean(axis=0) for window in mono])

    return AudioSetTagger("yamnet", columns, scores)


def _frames(mono: NDArray[np.float32], network: "_Network") -> NDArray[np.float32]:
    """Scores of a window, a row for each whole frame: `float32 [132300]` -> `float32 [frames, 521]`."""
    audio = soxr.resample(mono, SAMPLE_RATE_HZ, _RATE_HZ).astype(np.float32)
    starts = range(0, len(audio) - _FRAME_SAMPLES + 1, _HOP_SAMPLES)
    return np.stack([network(audio[start : start + _FRAME_SAMPLES]) for start in starts])


def _columns(path: Path) -> list[list[int]]:
    """Where the classes of each of our labels are among YAMNet's."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.read(_NAMES).decode().splitlines()
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not YAMNet as TFLite with its list of classes: {error}") from error
    try:
        return [[names.index(name) for name in known.audioset] for known in KNOWN]
    except ValueError as error:
        raise DataError(f"{path} is not YAMNet as TFLite: of its classes, {error}") from error


class _Network:
    """The graph under TFLite's interpreter: one frame at a time."""

    def __init__(self, path: Path, threads: int) -> None:
        self._interpreter = open_interpreter(path, threads)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        shape = self._input["shape"]
        if shape.tolist() != [_FRAME_SAMPLES]:
            raise DataError(f"{path} is not YAMNet as TFLite: it takes {shape}, not {_FRAME_SAMPLES} samples")

    def __call__(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input["index"], audio)
        self._interpreter.invoke()
        scores: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        return scores
