"""The default network: a small convolutional network over log-mel frames."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from whoplays.training.networks.log_mel import LogMel, MelPower

FEATURES: Final = 2 * 320
_FRAME_BLOCKS: Final = {10: (80, 1), 11: (144, 4)}
"""After which layer how many blocks of which width look at one frame at a time."""


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

    def remove_head(self) -> int:
        """Give features instead of logits from now on; return how many."""
        self.classifier.add_module("head", nn.Identity())
        return FEATURES


class MelClassifier(nn.Module):
    """All of `MelCNN` after mel power.

    Shape: `[batch, frames, 64]` -> `[batch, labels]`
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            LogMel(),
            # The convolution behind it can scale and shift as well; not to learn how saves an eighth of a step.
            nn.BatchNorm2d(1).requires_grad_(requires_grad=False),
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
        ]
        self.features = nn.Sequential(_with_frame_blocks(layers))
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(FEATURES, labels)

    def forward(self, power: Tensor) -> Tensor:
        """Logits of a batch of windows' mel power, from mean and maximum over the window of every feature."""
        features = self.features(power)
        pooled = torch.cat([features.mean(dim=2), features.amax(dim=2)], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow; add the input where the shape allows it.

    Source: Sandler et al., "MobileNetV2" (CVPR 2018). Padded in frequency only, so a frame is lost at either end, or
    none where the filters are of a single frame.

    Shape: `[batch, channels, mels, frames]` -> `[batch, width, mels / stride, (frames - 2) / stride]`
    """

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        expand: int,
        stride: tuple[int, int] = (1, 1),
        frames: int = 3,
    ) -> None:
        super().__init__()
        inner = channels * expand
        self.adds = stride == (1, 1) and channels == width
        margin = frames // 2
        self.lost = slice(margin, -margin) if margin else slice(None)
        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, inner, (3, frames), stride, (1, 0), groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Filtered features."""
        filtered: Tensor = self.body(features)
        return filtered + features[..., self.lost] if self.adds else filtered


def _convolution(channels: int, width: int, *, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, width, kernel, stride, padding=(kernel // 2, 0), bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]


def _with_frame_blocks(layers: Sequence[nn.Module]) -> OrderedDict[str, nn.Module]:
    """Layers by number, and between them blocks that look at one frame at a time and add nothing at first.

    Goyal et al., "Accurate, Large Minibatch SGD" (2017): a block's last scale begins at zero.
    """
    named: OrderedDict[str, nn.Module] = OrderedDict()
    for place, layer in enumerate(layers):
        named[str(place)] = layer
        width, count = _FRAME_BLOCKS.get(place, (0, 0))
        for k in range(count):
            block = InvertedResidual(width, width, expand=2, frames=1)
            nn.init.zeros_(block.body.get_submodule("7").get_parameter("weight"))
            named[f"{place}-deeper-{k}"] = block  # the name in every checkpoint so far
    return named
