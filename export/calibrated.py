"""A calibration as the last step of a network, so that it is inside the graph."""

import torch
from torch import Tensor, nn

from whoplays.training.evaluate.calibration import Calibration
from whoplays.training.fit.tagger import Tagger


class Affine(nn.Module):
    """logits `[batch, labels]` -> scale * logits + bias, label by label; nothing in it learns."""

    scales: Tensor
    biases: Tensor

    def __init__(self, calibration: Calibration) -> None:
        super().__init__()
        self.register_buffer("scales", torch.tensor(calibration.scales, dtype=torch.float32))
        self.register_buffer("biases", torch.tensor(calibration.biases, dtype=torch.float32))

    def forward(self, logits: Tensor) -> Tensor:
        """Calibrated logits."""
        return self.scales * logits + self.biases


def calibrate(tagger: Tagger, calibration: Calibration) -> None:
    """Make a network say calibrated probabilities from now on."""
    # Not an assignment: the tagger declares the plain function that it learns with.
    tagger.add_module("to_probabilities", nn.Sequential(Affine(calibration), tagger.to_probabilities))
