"""YAMNet as a peer: its scores for our labels, to be measured against."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.training.evaluate.candidates import Candidate
from whoplays.training.taggers.audioset import CLASSES, AudioSetJudge, Columns, peer
from whoplays.training.taggers.yamnet import FRAME_SAMPLES, Yamnet, class_names

_HOP_SAMPLES: Final = FRAME_SAMPLES // 2
"""Half a frame, so that what one frame's edge fades out is in the middle of another."""


def yamnet(path: Path, threads: int = 1) -> Candidate:
    """YAMNet as a candidate: of each class, the mean over a window's frames.

    Args:
        path: its TFLite file.

    Raises:
        DataError: there is no such file, it is not YAMNet, or the extra `peers` is not installed.
    """
    columns = _columns(path)
    tagger = Yamnet(path, threads)

    def scores(mono: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([tagger.scores(window, _HOP_SAMPLES).mean(axis=0) for window in mono])

    return peer(AudioSetJudge("yamnet", columns, scores))


def _columns(path: Path) -> Columns:
    names = class_names(path)
    try:
        return [[names.index(name) for name in classes] for classes in CLASSES.values()]
    except ValueError as error:
        raise DataError(f"{path} is not YAMNet as TFLite: of its classes, {error}") from error
