"""YAMNet as a teacher: its logits for every class, that the network learns to foretell."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.training.taggers.yamnet import FRAME_SAMPLES, Yamnet

CLASSES: Final = 521
_LEAST: Final = 1e-6


class YamnetTeacher:
    """What YAMNet makes of windows, over frames that do not overlap.

    Raises:
        DataError: the file is not the tagger, or the extra `peers` is not installed.
    """

    name: Final = "yamnet"
    classes: Final = CLASSES

    def __init__(self, path: Path) -> None:
        self._yamnet = Yamnet(path)

    def logits(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean logits over the frames of each window.

        Shape: `float32 [windows, 132300]` -> `float32 [windows, 521]`
        """
        return np.stack([self._judge(window) for window in mono])

    def _judge(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.clip(self._yamnet.scores(window, FRAME_SAMPLES), _LEAST, 1 - _LEAST)
        return np.asarray(np.log(scores / (1 - scores)).mean(axis=0), np.float32)
