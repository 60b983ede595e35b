"""A random forest as a network, walked by gathers, so that it exports and runs as any other; and what it decides by."""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from whoplays.training.baselines.log_mel import DecimatedMelPower, LogMel
from whoplays.training.baselines.networks import peak_normalised

_DECIMATION: Final = 20


class Nodes(NamedTuple):
    """All nodes of all trees in a row; a leaf's children are itself."""

    roots: Tensor
    """`int64 [trees]`: each tree's first node."""
    features: Tensor
    """`int64 [nodes]`: which feature decides."""
    limits: Tensor
    """`float32 [nodes]`: up to and including it, to the left; beyond it, to the right."""
    left: Tensor
    """`int64 [nodes]`"""
    right: Tensor
    """`int64 [nodes]`"""
    shares: Tensor
    """`float32 [nodes, labels]`: the share of the node's training windows that held the label."""


class Forest(nn.Module):
    """A front end without weights, and trees over its features; what comes out is the mean of the trees' shares.

    Every window walks down all trees at once, a level a step: the tree traversal of Nakandala et al., "A Tensor
    Compiler for Unified Machine Learning Prediction Serving" (OSDI 2020). One leaf only, until planted or loaded.

    Shape: `[batch, 2, 132300]` -> `[batch, labels]`, probabilities in [0, 1]
    """

    def __init__(self, front: nn.Module, labels: int) -> None:
        super().__init__()
        self.front = front
        leaf = torch.zeros(1, dtype=torch.int64)
        self.plant(Nodes(leaf, leaf, torch.zeros(1), leaf, leaf, torch.zeros(1, labels)))
        self.register_load_state_dict_pre_hook(_make_room)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_measure)  # type: ignore[no-untyped-call]

    def plant(self, nodes: Nodes) -> None:
        """Put these trees in the place of those that were there."""
        self.limits = nn.Parameter(nodes.limits, requires_grad=False)
        self.shares = nn.Parameter(nodes.shares, requires_grad=False)
        for name in ("roots", "features", "left", "right"):
            self.register_buffer(name, getattr(nodes, name).clone())
        self.measure()

    def measure(self) -> None:
        """Count how many decisions the longest way down has."""
        left, right = self.get_buffer("left"), self.get_buffer("right")
        level, self.depth = self.get_buffer("roots"), 0
        while len(level := level[left[level] != level]):
            level, self.depth = torch.cat([left[level], right[level]]), self.depth + 1

    def forward(self, audio: Tensor) -> Tensor:
        """Probabilities of a batch of windows."""
        decided_by = self.front(audio)
        features, left, right = (self.get_buffer(name) for name in ("features", "left", "right"))
        node = self.get_buffer("roots")[None].expand(audio.shape[0], -1)
        for _ in range(self.depth):
            goes_left = decided_by.gather(1, features[node]) <= self.limits[node]
            node = torch.where(goes_left, left[node], right[node])
        return self.shares[node].mean(dim=1)


def _make_room(forest: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Take on the size of the trees that are about to be loaded."""
    for name, held in (*forest.named_parameters(recurse=False), *forest.named_buffers(recurse=False)):
        if prefix + name in state:
            held.data = torch.empty_like(state[prefix + name])


def _measure(forest: nn.Module, _incompatible: object) -> None:
    if isinstance(forest, Forest):
        forest.measure()


class Samples(nn.Module):
    """The waveform itself: peak-normalised, channels averaged, each twenty samples averaged (2,205 Hz).

    Shape: `[batch, 2, 132300]` -> `[batch, 6615]`
    """

    def forward(self, audio: Tensor) -> Tensor:
        """Samples of a batch of windows."""
        mono = peak_normalised(audio).mean(dim=1, keepdim=True)
        return nn.functional.avg_pool1d(mono, _DECIMATION).flatten(1)


class MelStatistics(nn.Module):
    """Of each log-mel band over the window, peak-normalised: mean, deviation, maximum, and mean step between frames.

    Shape: `[batch, 2, 132300]` -> `[batch, 256]`
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_mel = nn.Sequential(DecimatedMelPower(), LogMel())

    def forward(self, audio: Tensor) -> Tensor:
        """Statistics of a batch of windows."""
        bands = self.log_mel(peak_normalised(audio)).flatten(1, 2)
        mean = bands.mean(dim=2)
        deviation = (bands - mean[..., None]).square().mean(dim=2).sqrt()
        step = (bands[..., 1:] - bands[..., :-1]).abs().mean(dim=2)
        return torch.cat([mean, deviation, bands.amax(dim=2), step], dim=1)


def raw_forest(labels: int) -> Forest:
    """A forest over the waveform."""
    return Forest(Samples(), labels)


def mel_forest(labels: int) -> Forest:
    """A forest over statistics of log-mel bands."""
    return Forest(MelStatistics(), labels)
