"""The default network: a published tagger's trunk, with one head for the window and one for each step within it."""

from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from whoplays.models.labels import known_label
from whoplays.models.spectrogram import FRAME_SAMPLES, FRAMES, HOP_SAMPLES
from whoplays.training.networks.efficientat import CLASS_INDICES, FEATURES, EfficientATNetwork, read_weights
from whoplays.training.networks.mel_power import MelPower, log_mel

STEP_FRAMES: Final = 32
"""Frames from the middle of one of the trunk's time steps to the next: five strides of two."""
STEPS: Final = -(-FRAMES // STEP_FRAMES)
STEP_SAMPLES: Final = STEP_FRAMES * HOP_SAMPLES
FIRST_SAMPLE: Final = (FRAME_SAMPLES - STEP_SAMPLES) // 2
"""Where the first step starts: it is centred on the first frame."""
_HIDDEN: Final = 512


class Logits(NamedTuple):
    """What a network makes of a batch of windows."""

    window: Tensor
    """`[batch, labels]`"""
    frames: Tensor
    """`[batch, steps, labels]`"""


class FrameTagger(nn.Module):
    """EfficientAT's trunk over mel power, and two classifiers: of its mean over the window, and over each time step.

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
        return self.judge(self.embed(log_mel(power)))

    def judge(self, steps: Tensor) -> Logits:
        """Logits of the trunk's features at each step, `[batch, 10, 384]`."""
        return Logits(self.window_head(steps.mean(dim=1)), self.frame_head(steps))

    def embed(self, spectrogram: Tensor) -> Tensor:
        """The trunk's features at each step, their mean over bands: `[batch, 298, 128]` -> `[batch, 10, 384]`."""
        features: Tensor = self.features(spectrogram.transpose(1, 2)[:, None])
        return features.mean(dim=2).transpose(1, 2)

    def begin_from(self, tagger: Path, labels: tuple[str, ...]) -> None:
        """Begin from a published tagger: its trunk, and its classifier's rows of the classes that stand for each label.

        A label for which none stands begins as the mean of the others.

        Raises:
            DataError: the file does not hold its weights.
        """
        published = read_weights(tagger).state_dict()
        known = [known_label(label) for label in labels]
        chosen = [[CLASS_INDICES[name] for name in each.audioset] if each else [] for each in known]
        own = self.state_dict()
        own |= {name: value for name, value in published.items() if name.startswith("features.")}
        for head, kind in product(("window_head", "frame_head"), ("weight", "bias")):
            own[f"{head}.0.{kind}"] = published[f"classifier.2.{kind}"]
            rows = published[f"classifier.5.{kind}"]
            others = rows[[row for classes in chosen for row in classes]].mean(dim=0)
            begun = [rows[classes].mean(dim=0) if classes else others for classes in chosen]
            own[f"{head}.3.{kind}"] = torch.stack(begun)
        self.load_state_dict(own)


def _head(labels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(FEATURES, _HIDDEN), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(_HIDDEN, labels))
