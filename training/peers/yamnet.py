"""YAMNet as a peer: its scores for our labels, to be measured against."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError
from training.candidates import Candidate
from training.clip import Clip
from training.mixing import Windows
from training.peers.audioset import CLASSES
from training.scores import Probabilities
from training.yamnet import FRAME_SAMPLES, Yamnet, class_names

_HOP_SAMPLES: Final = FRAME_SAMPLES // 2
"""Half a frame, so that what one frame's edge fades out is in the middle of another."""


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
        self._yamnet = Yamnet(path, threads)

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
        scores = self._yamnet.scores(window.mean(axis=0), _HOP_SAMPLES).mean(axis=0)
        return np.array([scores[columns].max() for columns in self._columns], np.float32)


def yamnet(path: Path, threads: int = 1) -> Candidate:
    """YAMNet as a candidate; it has no thresholds but the 0.5 that a probability suggests.

    Raises:
        DataError: there is no such file, it is not YAMNet, or the extra `peers` is not installed.
    """
    return Candidate(tuple(CLASSES), "multi-label", (YamnetJudge(path, threads),), np.full(len(CLASSES), 0.5))


def _columns(path: Path) -> list[list[int]]:
    """For each of our labels, where its classes are among YAMNet's."""
    names = class_names(path)
    try:
        return [[names.index(name) for name in classes] for classes in CLASSES.values()]
    except ValueError as error:
        raise DataError(f"{path} is not YAMNet as TFLite: of its classes, {error}") from error
