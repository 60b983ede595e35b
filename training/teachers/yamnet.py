"""YAMNet, an AudioSet tagger of 3.7 million parameters (Apache-2.0, github.com/tensorflow/models)."""

from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from models.errors import DataError, OptionError
from models.signal import SAMPLE_RATE_HZ

CLASSES: Final = 521
_RATE_HZ: Final = 16_000
_PATCH_SAMPLES: Final = 15_600
_LEAST: Final = 1e-6


class Yamnet:
    """What YAMNet makes of windows.

    Raises:
        DataError: the file is not the tagger.
        OptionError: `ai-edge-litert` is not installed.
    """

    name: Final = "yamnet"
    classes: Final = CLASSES

    def __init__(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415  an optional extra
        except ImportError:
            raise OptionError("YAMNet needs ai-edge-litert; install it: pip install 'whoplays[peers]'") from None
        try:
            self._interpreter = Interpreter(str(path), num_threads=1)
        except ValueError as error:
            raise DataError(f"{path} is not YAMNet as a .tflite file: {error}") from error
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def logits(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean logits over the patches of each window.

        Shape: `float32 [windows, 132300]` -> `float32 [windows, 521]`
        """
        return np.stack([self._judge(window) for window in mono])

    def _judge(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        resampled = soxr.resample(window, SAMPLE_RATE_HZ, _RATE_HZ)
        patches = resampled[: len(resampled) // _PATCH_SAMPLES * _PATCH_SAMPLES].reshape(-1, _PATCH_SAMPLES)
        scores = np.clip(np.stack([self._scores(patch) for patch in patches]), _LEAST, 1 - _LEAST)
        return np.asarray(np.log(scores / (1 - scores)).mean(axis=0), np.float32)

    def _scores(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input, patch)
        self._interpreter.invoke()
        scores: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        return scores
