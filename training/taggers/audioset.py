"""Which classes of AudioSet (Gemmeke et al., ICASSP 2017) stand for which of our labels.

A label's score is that of its most probable class. Where AudioSet has a class and kinds of it (Organ: Electronic organ,
Hammond organ), those stand for the label that all taggers here know; an electric piano is no piano. Its plain Guitar
stands for none: of a hundred windows of electric guitars taggers call most that as well, and YAMNet does best without
it. The voice in music is singing, not speech.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.training.data.clip import Clip
from whoplays.training.data.mixing import Windows

CLASSES: Final = MappingProxyType(
    {
        "cel": ("Cello",),
        "cla": ("Clarinet",),
        "flu": ("Flute",),
        "gac": ("Acoustic guitar",),
        "gel": ("Electric guitar",),
        "org": ("Organ", "Electronic organ", "Hammond organ"),
        "pia": ("Piano",),
        "sax": ("Saxophone",),
        "tru": ("Trumpet",),
        "vio": ("Violin, fiddle",),
        "voi": ("Singing", "Choir", "Chant", "Child singing", "Vocal music", "A capella"),
    }
)
"""By our codes, in the order of `whoplays.models.labels.NAMES`."""


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
        """Scores `[n, 11]` of windows `[n, 2, 132300]`, in the order of `CLASSES`."""
        scores = self._scores(windows.mean(axis=1))
        return np.stack([scores[:, columns].max(axis=1) for columns in self._columns], axis=1)
