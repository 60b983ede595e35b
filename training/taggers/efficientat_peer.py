"""EfficientAT mn04 as a peer: its scores for our labels, to be measured against."""

from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whoplays.training.evaluate.candidates import Candidate
from whoplays.training.taggers.audioset import CLASSES, AudioSetJudge, peer
from whoplays.training.taggers.efficientat import EfficientAT

_PLACES: Final = MappingProxyType(
    {
        "Singing": 27,
        "Choir": 28,
        "Chant": 30,
        "Child singing": 34,
        "Electric guitar": 141,
        "Acoustic guitar": 143,
        "Piano": 153,
        "Organ": 155,
        "Electronic organ": 156,
        "Hammond organ": 157,
        "Trumpet": 187,
        "Violin, fiddle": 191,
        "Cello": 193,
        "Flute": 196,
        "Saxophone": 197,
        "Clarinet": 198,
        "Vocal music": 254,
        "A capella": 255,
    }
)
"""Where a class is among AudioSet's 527, by its `class_labels_indices.csv`."""


def efficientat(path: Path) -> Candidate:
    """EfficientAT mn04 as a candidate: its probabilities for a window as a whole.

    Args:
        path: its weights, a state dict.

    Raises:
        DataError: the file is not the tagger's weights.
    """
    tagger = EfficientAT(path)

    def scores(mono: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(expit(tagger.logits(mono)), np.float32)

    columns = [[_PLACES[name] for name in classes] for classes in CLASSES.values()]
    return peer(AudioSetJudge(tagger.name, columns, scores))
