"""The default network: a published tagger's trunk, with one head for the window and one for each step within it."""

from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from whoplays.models.labels import known_label
from whoplays.training.networks.efficientat import CLASS_INDICES, FEATURES, EfficientATNetwork, read_weights
from whoplays.training.networks.mel_power import FRAMES, HOP, MelPower, log_mel

STEP_FRAMES: Final = 32
"""Frames from the middle of one of the trunk's time steps to the next: five strides of two."""
STEPS: Final = -(-FRAMES // STEP_FRAMES)
STEP_SAMPLES: Final = STEP_FRAMES * HOP
_HIDDEN: Final = 512


class Logits(NamedTuple):
    """What a network makes of a batch of windows."""

    window: Tensor
    """`[batch, labels]`"""
    frames: Tensor
    """`[batch, steps, labels]`"""


class FrameTagger(nn.Module):
    """EfficientAT's trunk over mel power, and two classifiers: of its mean over the window, and over each time step.

    Its batch-norm statistics stay those of AudioSet: of a thousand steps of mixtures they would be worse ones.

    Shape: `[batch, 2, 132300]` -> `[batch, labels]` and `[batch, 10, labels]`
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.power = MelPower()
        self.features = EfficientATNetwork().features
        self.window_head = _head(labels)
        self.frame_head = _head(labels)

    def forward(self, audio: Tensor) -> Logits:
        """Logits of a batch of windows."""
        return self.classify(self.power(audio))

    def classify(self, power: Tensor) -> Logits:
        """Logits of a batch of windows' mel power `[batch, 298, 128]`."""
        features: Tensor = self.features(log_mel(power).transpose(1, 2)[:, None])
        steps = features.mean(dim=2).transpose(1, 2)
        return Logits(self.window_head(steps.mean(dim=1)), self.frame_head(steps))

    def embed(self, audio: Tensor) -> Tensor:
        """Features of each window, `[batch, 384]`: the trunk's mean over bands and time."""
        features: Tensor = self.features(log_mel(self.power(audio)).transpose(1, 2)[:, None])
        return features.mean(dim=(2, 3))

    def train(self, mode: bool = True) -> "FrameTagger":
        """Train everything but the batch-norm statistics."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def begin_from(self, tagger: Path, labels: tuple[str, ...]) -> None:
        """Begin from a published tagger: its trunk, and its classifier's rows of the classes that stand for each label.

        Raises:
            DataError: the file does not hold its weights.
        """
        published = read_weights(tagger)
        self.features.load_state_dict(published.features.state_dict())
        hidden, rows = published.classifier[2], published.classifier[5]
        for head in (self.window_head, self.frame_head):
            head[0].load_state_dict(hidden.state_dict())
            for index, label in enumerate(labels):
                known = known_label(label)
                if known is None:
                    continue
                chosen = [CLASS_INDICES[name] for name in known.audioset]
                with torch.no_grad():
                    head[3].weight[index] = rows.weight[chosen].mean(dim=0)
                    head[3].bias[index] = rows.bias[chosen].mean()


def _head(labels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(FEATURES, _HIDDEN), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(_HIDDEN, labels))
