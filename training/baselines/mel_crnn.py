"""A convolutional recurrent network over log-mel frames."""

from typing import Final

import torch
from torch import Tensor, nn

from whoplays.training.networks.log_mel import LogMel, MelPower

_WIDTHS: Final = (32, 64, 64)
_UNITS: Final = 64
_MELS_LEFT: Final = 8


class MelCRNN(nn.Module):
    """Log-mel, three convolutions that shorten frequency, a GRU over the frames both ways, mean and maximum of time.

    Source: Cakir et al., "Convolutional Recurrent Neural Networks for Polyphonic Sound Event Detection" (TASLP 2017);
    the GRU is that of Cho et al. (EMNLP 2014).

    Shape: `[batch, 2, 132300]` -> `[batch, labels]`
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.power = MelPower()
        layers: list[nn.Module] = [LogMel(), nn.BatchNorm2d(1)]
        channels = 1
        for width, pool in zip(_WIDTHS, ((2, 2), (2, 2), (2, 2)), strict=True):
            layers += [
                nn.Conv2d(channels, width, 3, padding=(1, 0), bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(pool),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.recurrent = nn.GRU(channels * _MELS_LEFT, _UNITS, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(4 * _UNITS, labels)

    def forward(self, audio: Tensor) -> Tensor:
        """Logits of a batch of windows."""
        features = self.features(self.power(audio))
        frames, _ = self.recurrent(features.flatten(1, 2).transpose(1, 2))
        pooled = torch.cat([frames.mean(dim=1), frames.amax(dim=1)], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits
