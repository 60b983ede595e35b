"""A file as that of the published tagger, of a network that has learnt nothing: what its trunk gives is spread out."""

from pathlib import Path

import torch
from torch import nn

from whoplays.training.networks.efficientat import EfficientATNetwork


def write_tagger(path: Path) -> Path:
    """Write it; its batch norms have seen noise."""
    torch.manual_seed(1)
    network = EfficientATNetwork().train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all that is seen
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(4, 1, 128, 61))
    torch.save(network.state_dict(), path)
    return path
