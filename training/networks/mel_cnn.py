"""The default network: a small convolutional network over log-mel frames."""

import torch
from torch import Tensor, nn

from training.networks.log_mel import LogMel, MelPower


class MelCNN(nn.Module):
    """Log-mel, two strided convolutions, inverted residual blocks, mean and maximum over the window.

    No padding in time: what a frame contributes does not depend on where in the window it stands.

    Shape: `[batch, 2, 132300]` -> `[batch, labels]`
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.power = MelPower()
        self.classifier = MelClassifier(labels)

    def forward(self, audio: Tensor) -> Tensor:
        """Logits of a batch of windows."""
        logits: Tensor = self.classifier(self.power(audio))
        return logits


class MelClassifier(nn.Module):
    """All of `MelCNN` after mel power.

    Shape: `[batch, frames, 64]` -> `[batch, labels]`
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            LogMel(),
            nn.BatchNorm2d(1),
            *_convolution(1, 16, kernel=5, stride=2),
            *_convolution(16, 32, kernel=3, stride=2),
            InvertedResidual(32, 80, expand=3, stride=(2, 2)),
            InvertedResidual(80, 80, expand=2),
            InvertedResidual(80, 80, expand=2),
            InvertedResidual(80, 144, expand=2, stride=(2, 1)),
            nn.Conv2d(144, 320, (4, 1), bias=False),
            nn.BatchNorm2d(320),
            nn.ReLU(),
            nn.Flatten(2),
        )
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(2 * 320, labels)

    def forward(self, power: Tensor) -> Tensor:
        """Logits of a batch of windows' mel power."""
        features = self.features(power)
        pooled = torch.cat([features.mean(dim=2), features.amax(dim=2)], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow; add the input where the shape allows it.

    Source: Sandler et al., "MobileNetV2" (CVPR 2018). Padded in frequency only, so a frame is lost at either end.

    Shape: `[batch, channels, mels, frames]` -> `[batch, width, mels / stride, (frames - 2) / stride]`
    """

    def __init__(self, channels: int, width: int, *, expand: int, stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        inner = channels * expand
        self.adds = stride == (1, 1) and channels == width
        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, padding=(1, 0), groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Filtered features."""
        filtered: Tensor = self.body(features)
        return filtered + features[..., 1:-1] if self.adds else filtered


def _convolution(channels: int, width: int, *, kernel: int, stride: int) -> list[nn.Module]:
    padding = (kernel // 2, 0)
    return [
        nn.Conv2d(channels, width, kernel, stride, padding=padding, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
