"""EfficientAT mn04 as a teacher: its logits for every class, that the network learns to foretell."""

from pathlib import Path
from typing import Final

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.damaged import DAMAGED, reason
from whoplays.training.networks.efficientat import CLASSES, RATE_HZ, EfficientATNetwork, KaldiLogMel
from whoplays.training.recipe import EFFICIENTAT


def load_tagger(path: Path) -> EfficientATNetwork:
    """The tagger of a file of published weights.

    Raises:
        DataError: the file does not hold them.
    """
    network = EfficientATNetwork().eval()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{path} does not hold the weights of EfficientAT mn04: {reason(error)}") from error
    return network


class EfficientAT:
    """What EfficientAT mn04 makes of windows.

    Raises:
        DataError: the file is not the tagger's weights.
    """

    name: Final = EFFICIENTAT
    classes: Final = CLASSES

    def __init__(self, path: Path) -> None:
        self._network = load_tagger(path)
        self._log_mel = KaldiLogMel()

    def logits(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of each window.

        Shape: `float32 [windows, 132300]` -> `float32 [windows, 527]`
        """
        resampled = np.stack([soxr.resample(window, SAMPLE_RATE_HZ, RATE_HZ) for window in mono])
        with torch.inference_mode():
            logits: Tensor = self._network(self._log_mel(torch.from_numpy(resampled)))
        return np.asarray(logits.numpy())
