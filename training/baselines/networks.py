"""The original project's network over the raw waveform, and the recurrent one that it wished for."""

from typing import Final

import torch
from torch import Tensor, nn

from whoplays.training.baselines.log_mel import DecimatedMelPower, LogMel

# (channels, kernel, pool) of each layer.
_RAW_LAYERS: Final = ((64, 11, 2), (64, 9, 2), (64, 7, 4), (32, 5, 4), (16, 5, 4), (2, 5, 4))
_RAW_FEATURES: Final = 254
_CRNN_WIDTHS: Final = (32, 64, 64)
_GRU_UNITS: Final = 64
_MELS_LEFT: Final = 8
_PEAK: Final = 0.5
_QUIETEST: Final = 1e-6


def peak_normalised(audio: Tensor) -> Tensor:
    """Scale each window to a peak of 0.5, as training windows are; silence stays silence.

    Shape: `[batch, 2, 132300]` -> the same
    """
    peak = audio.abs().amax(dim=(1, 2), keepdim=True).clamp(min=_QUIETEST)
    return audio * (_PEAK / peak)


class RawCNN(nn.Module):
    """Peak-normalise; six times convolution, ReLU, max-pool, batch-norm; then one linear layer.

    Convolutions are written as `Conv2d(1, k)`: the same numbers as `Conv1d`, twice as fast under onnxruntime on a CPU.

    Shape: `[batch, 2, 132300]` -> `[batch, labels]`
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 2
        for width, kernel, pool in _RAW_LAYERS:
            layers += [
                nn.Conv2d(channels, width, (1, kernel)),
                nn.ReLU(),
                nn.MaxPool2d((1, pool)),
                nn.BatchNorm2d(width),
            ]
            channels = width
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(_RAW_FEATURES, labels)

    def forward(self, audio: Tensor) -> Tensor:
        """Logits of a batch of windows."""
        logits: Tensor = self.head(self.dropout(self.features(peak_normalised(audio).unsqueeze(2))))
        return logits

    def remove_head(self) -> int:
        """Give features instead of logits from now on; return how many."""
        self.add_module("head", nn.Identity())
        return _RAW_FEATURES


class MelCRNN(nn.Module):
    """Log-mel, three convolutions that shorten frequency, a GRU over the frames both ways, mean and maximum of time.

    Source: Cakir et al., "Convolutional Recurrent Neural Networks for Polyphonic Sound Event Detection" (TASLP 2017);
    the GRU is that of Cho et al. (EMNLP 2014).

    Shape: `[batch, 2, 132300]` -> `[batch, labels]`
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.power = DecimatedMelPower()
        layers: list[nn.Module] = [LogMel(), nn.BatchNorm2d(1)]
        channels = 1
        for width in _CRNN_WIDTHS:
            layers += [
                nn.Conv2d(channels, width, 3, padding=(1, 0), bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d((2, 2)),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.recurrent = nn.GRU(channels * _MELS_LEFT, _GRU_UNITS, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(4 * _GRU_UNITS, labels)

    def forward(self, audio: Tensor) -> Tensor:
        """Logits of a batch of windows."""
        features = self.features(self.power(audio))
        frames, _ = self.recurrent(features.flatten(1, 2).transpose(1, 2))
        pooled = torch.cat([frames.mean(dim=1), frames.amax(dim=1)], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits
