"""Published taggers of AudioSet's classes (Gemmeke et al., ICASSP 2017), asked for our labels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from whoplays.training.data.clip import Clip
from whoplays.training.data.mixing import Windows


class AudioSetTagger:
    """A published tagger's scores for our labels: the largest of those of a label's classes.

    It was trained on AudioSet, which holds none of our recordings as far as anyone can tell.

    Args:
        name: what reports call it.
        columns: for each of our labels, where its classes are among the tagger's.
        scores: `float32 [n, 132300]`, windows as mono, -> `float32 [n, classes]`.
    """

    def __init__(
        self, name: str, columns: list[list[int]], scores: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> None:
        self.name = name
        self._columns, self._scores = columns, scores

    def was_trained_on(self, _clip: Clip) -> bool:
        """Never."""
        return False

    def probabilities(self, windows: Windows) -> NDArray[np.float32]:
        """Scores `[n, labels]` of windows `[n, 2, 132300]`, in the order of `whoplays.models.labels.KNOWN`."""
        scores = self._scores(windows.mean(axis=1))
        return np.stack([scores[:, columns].max(axis=1) for columns in self._columns], axis=1)
