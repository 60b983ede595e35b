"""EfficientAT mn04, as published: its weights, and its scores for our labels."""

from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from whoplays.models.labels import KNOWN
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.networks.efficientat import CLASS_INDICES, RATE_HZ, EfficientATNetwork, KaldiLogMel, read_weights
from whoplays.training.recipes import EFFICIENTAT
from whoplays.training.taggers.audioset import AudioSetTagger


def efficientat(path: Path, _threads: int = 1) -> AudioSetTagger:
    """EfficientAT mn04's probabilities for a window as a whole.

    Args:
        path: its weights.

    Raises:
        DataError: the file is not the tagger's weights.
    """
    network, log_mel = read_weights(path), KaldiLogMel()

    def scores(mono: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(expit(logits(network, log_mel, mono)), np.float32)

    columns = [[CLASS_INDICES[name] for name in known.audioset] for known in KNOWN]
    return AudioSetTagger(EFFICIENTAT, columns, scores)


def logits(network: EfficientATNetwork, log_mel: KaldiLogMel, mono: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of each window.

    Shape: `float32 [windows, 132300]` -> `float32 [windows, 527]`
    """
    resampled = np.stack([soxr.resample(window, SAMPLE_RATE_HZ, RATE_HZ) for window in mono])
    with torch.inference_mode():
        found: Tensor = network(log_mel(torch.from_numpy(resampled)))
    return np.asarray(found.numpy())
