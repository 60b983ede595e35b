"""EfficientAT mn04, as published: its weights, and its scores for our labels."""

from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.files import DAMAGED, reason
from whoplays.training.networks.efficientat import RATE_HZ, EfficientATNetwork, KaldiLogMel
from whoplays.training.recipes import EFFICIENTAT
from whoplays.training.taggers.audioset import CLASSES, AudioSetTagger

_INDICES: Final = MappingProxyType(
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


def load_tagger(path: Path) -> EfficientATNetwork:
    """The tagger of a file of published weights, a state dict.

    Raises:
        DataError: the file does not hold them.
    """
    network = EfficientATNetwork().eval()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{path} does not hold the weights of EfficientAT mn04: {reason(error)}") from error
    return network


def efficientat(path: Path, _threads: int = 1) -> AudioSetTagger:
    """EfficientAT mn04's probabilities for a window as a whole.

    Args:
        path: its weights.

    Raises:
        DataError: the file is not the tagger's weights.
    """
    network, log_mel = load_tagger(path), KaldiLogMel()

    def scores(mono: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(expit(logits(network, log_mel, mono)), np.float32)

    columns = [[_INDICES[name] for name in classes] for classes in CLASSES.values()]
    return AudioSetTagger(EFFICIENTAT, columns, scores)


def logits(network: EfficientATNetwork, log_mel: KaldiLogMel, mono: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of each window.

    Shape: `float32 [windows, 132300]` -> `float32 [windows, 527]`
    """
    resampled = np.stack([soxr.resample(window, SAMPLE_RATE_HZ, RATE_HZ) for window in mono])
    with torch.inference_mode():
        found: Tensor = network(log_mel(torch.from_numpy(resampled)))
    return np.asarray(found.numpy())
