"""Transfer: what one network has learnt to hear, frozen, under a new small head."""

from typing import Final

from torch import Tensor, nn

from whoplays.training.baselines.raw_cnn import RawCNN
from whoplays.training.networks.efficientat import EfficientATFeatures
from whoplays.training.networks.mel_cnn import MelCNN

_INNER: Final = (100, 50)
_DROPOUT: Final = 0.2


class Transfer(nn.Module):
    """The features of a network without its head, then the seed's dense layers: width-100-50-labels.

    Only `head` is meant to learn.

    Shape: `[batch, 2, 132300]` -> `[batch, labels]`
    """

    def __init__(self, base: RawCNN | MelCNN | EfficientATFeatures, labels: int) -> None:
        super().__init__()
        width = base.behead()
        self.base = base.requires_grad_(requires_grad=False)
        self.head = nn.Sequential(
            nn.Linear(width, _INNER[0]),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_INNER[0], _INNER[1]),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_INNER[1], labels),
        )

    def forward(self, audio: Tensor) -> Tensor:
        """Logits of a batch of windows."""
        logits: Tensor = self.head(self.base(audio))
        return logits
