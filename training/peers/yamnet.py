"""YAMNet as a peer: an AudioSet tagger, MobileNet v1, 3.7 M parameters, 521 classes (Plakal and Ellis, 2020).

Source: github.com/tensorflow/models, research/audioset/yamnet. Its TFLite file takes 0.975 s of mono at 16 kHz, and has
the names of its classes zipped to its end.
"""

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from models.errors import DataError
from models.signal import SAMPLE_RATE_HZ
from training.candidates import Candidate
from training.clip import Clip
from training.mixing import Windows
from training.peers.audioset import CLASSES
from training.scores import Probabilities

_RATE_HZ: Final = 16_000
_FRAME: Final = 15_600
_HOP: Final = 7_800
"""Half a frame, so that what one frame's edge fades out is in the middle of another."""
_NAMES: Final = "yamnet_label_list.txt"


class YamnetJudge:
    """YAMNet's scores for our labels: the mean over a window's frames of each class, then the largest of the classes.

    It was trained on AudioSet, which holds none of our recordings as far as anyone can tell.

    Args:
        path: its TFLite file.

    Raises:
        DataError: there is no such file, it is not YAMNet, or the extra `peers` is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._columns = _columns(path)
        self._interpreter = _interpreter(path, threads)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        if self._input["shape"].tolist() != [_FRAME]:
            raise DataError(f"{path} is not YAMNet as TFLite: it takes {self._input['shape']}, not {_FRAME} samples")

    @property
    def name(self) -> str:
        """What reports call it."""
        return "yamnet"

    def has_heard(self, _clip: Clip) -> bool:
        """Never."""
        return False

    def probabilities(self, windows: Windows) -> Probabilities:
        """Scores `[n, 11]` of windows `[n, 2, 132300]`, in the order of `CLASSES`."""
        return np.stack([self._window(window) for window in windows])

    def _window(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        audio = soxr.resample(window.mean(axis=0), SAMPLE_RATE_HZ, _RATE_HZ).astype(np.float32)
        starts = range(0, len(audio) - _FRAME + 1, _HOP)
        scores = np.mean([self._frame(audio[start : start + _FRAME]) for start in starts], axis=0)
        return np.array([scores[columns].max() for columns in self._columns], np.float32)

    def _frame(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input["index"], audio)
        self._interpreter.invoke()
        scores: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        return scores


def yamnet(path: Path, threads: int = 1) -> Candidate:
    """YAMNet as a candidate; it has no thresholds but the 0.5 that a probability suggests.

    Raises:
        DataError: there is no such file, it is not YAMNet, or the extra `peers` is not installed.
    """
    return Candidate(tuple(CLASSES), "multi-label", (YamnetJudge(path, threads),), np.full(len(CLASSES), 0.5))


def _columns(path: Path) -> list[list[int]]:
    """For each of our labels, where its classes are among YAMNet's."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.read(_NAMES).decode().splitlines()
        return [[names.index(name) for name in classes] for classes in CLASSES.values()]
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path} is not YAMNet as TFLite with its list of classes: {error}") from error


def _interpreter(path: Path, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415  an extra that few will have
    except ModuleNotFoundError as error:
        raise DataError("ai-edge-litert is not installed; peers need: pip install 'whoplays[peers]'") from error
    try:
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not a TFLite model: {' '.join(str(error).split())}") from error
    return interpreter
