"""A file as that of the published tagger, of a network that has learnt nothing: what its trunk gives is spread out."""

from pathlib import Path

import torch
from torch import nn

from whoplays.training.networks.efficientat import EfficientATNetwork


def write_tagger(path: Path) -> Path:
    """Write it; what its layers give is as large as what they are given (He et al., 2015)."""
    torch.manual_seed(1)
    network = EfficientATNetwork()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    torch.save(network.state_dict(), path)
    return path
