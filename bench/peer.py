"""Another's tagger as a TFLite file, to be timed beside the recogniser on one thread."""

from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from whoplays.models.errors import DataError, OptionError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES

_RATE_HZ: Final = 16_000
_LEVEL: Final = 0.1


class Peer:
    """A tagger that takes a stretch of mono sound at 16 kHz, as YAMNet does.

    It is given as many whole stretches as a window holds, resampled already: what it leaves over costs it nothing.

    Raises:
        OptionError: this is not NAME=FILE, or there is no such file.
    """

    def __init__(self, text: str) -> None:
        self.name, _, path = text.partition("=")
        self._path = Path(path)
        if not (self.name and path):
            raise OptionError(f"--peer {text}: give NAME=FILE.tflite")
        if not self._path.is_file():
            raise OptionError(f"--peer {text}: there is no file {path}")

    def judge_window(self) -> None:
        """Hear a window of noise.

        Raises:
            DataError: the file is no such tagger, or the extra `peers` is not installed.
        """
        for _ in range(self._stretches):
            self._interpreter.invoke()

    @cached_property
    def _stretches(self) -> int:
        (samples,) = self._interpreter.get_input_details()[0]["shape"]
        return max(1, WINDOW_SAMPLES * _RATE_HZ // SAMPLE_RATE_HZ // int(samples))

    @cached_property
    def _interpreter(self) -> Any:
        try:
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415  an extra that few will have
        except ModuleNotFoundError as error:
            raise DataError(
                "a peer needs ai-edge-litert; install it: pip install -c constraints.txt -e '.[peers]'"
            ) from error
        try:
            interpreter = Interpreter(str(self._path), num_threads=1)
            interpreter.allocate_tensors()
            (samples,) = interpreter.get_input_details()[0]["shape"]
            noise = _LEVEL * np.random.default_rng(0).standard_normal(samples, np.float32)
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], noise)
        except (ValueError, RuntimeError) as error:
            raise DataError(
                f"{self._path} is no tagger of mono sound as TFLite: {' '.join(str(error).split())}"
            ) from error
        return interpreter
