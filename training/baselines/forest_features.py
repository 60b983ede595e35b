"""What forests decide by: front ends without weights, `[batch, 2, 132300]` -> `[batch, features]`."""

from typing import Final

import torch
from torch import Tensor, nn

from whoplays.training.baselines.level import peak_normalised
from whoplays.training.networks.log_mel import LogMel, MelPower

_DECIMATION: Final = 20


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
        self.log_mel = nn.Sequential(MelPower(), LogMel())

    def forward(self, audio: Tensor) -> Tensor:
        """Statistics of a batch of windows."""
        bands = self.log_mel(peak_normalised(audio)).flatten(1, 2)
        mean = bands.mean(dim=2)
        deviation = (bands - mean[..., None]).square().mean(dim=2).sqrt()
        step = (bands[..., 1:] - bands[..., :-1]).abs().mean(dim=2)
        return torch.cat([mean, deviation, bands.amax(dim=2), step], dim=1)
