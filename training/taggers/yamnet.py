"""YAMNet's file: an AudioSet tagger, MobileNet v1, 3.7 M parameters, 521 classes (Plakal and Ellis, 2020; Apache-2.0).

Source: github.com/tensorflow/models, research/audioset/yamnet. Its TFLite file takes 0.975 s of mono at 16 kHz, and has
the names of its classes zipped to its end.
"""

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ

FRAME_SAMPLES: Final = 15_600
"""At 16 kHz."""
_RATE_HZ: Final = 16_000
_NAMES: Final = "yamnet_label_list.txt"


class Yamnet:
    """What YAMNet makes of windows, frame by frame.

    Args:
        path: its TFLite file.

    Raises:
        DataError: there is no such file, it is not YAMNet, or the extra `peers` is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._interpreter = _interpreter(path, threads)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        if self._input["shape"].tolist() != [FRAME_SAMPLES]:
            shape = self._input["shape"]
            raise DataError(f"{path} is not YAMNet as TFLite: it takes {shape}, not {FRAME_SAMPLES} samples")

    def scores(self, mono: NDArray[np.float32], hop_samples: int) -> NDArray[np.float32]:
        """Scores of a window, a row for each whole frame.

        Args:
            hop_samples: from the start of one frame to that of the next, at 16 kHz.

        Shape: `float32 [132300]` -> `float32 [frames, 521]`
        """
        audio = soxr.resample(mono, SAMPLE_RATE_HZ, _RATE_HZ).astype(np.float32)
        starts = range(0, len(audio) - FRAME_SAMPLES + 1, hop_samples)
        return np.stack([self._frame(audio[start : start + FRAME_SAMPLES]) for start in starts])

    def _frame(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input["index"], audio)
        self._interpreter.invoke()
        scores: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        return scores


def class_names(path: Path) -> list[str]:
    """What AudioSet calls YAMNet's classes, in the order of its scores.

    Raises:
        DataError: the file does not tell.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(_NAMES).decode().splitlines()
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not YAMNet as TFLite with its list of classes: {error}") from error


def _interpreter(path: Path, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415  an extra that few will have
    except ModuleNotFoundError as error:
        raise DataError(
            "YAMNet needs ai-edge-litert; install it: pip install -c constraints.txt -e '.[peers]'"
        ) from error
    try:
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not YAMNet as TFLite: {' '.join(str(error).split())}") from error
    return interpreter
