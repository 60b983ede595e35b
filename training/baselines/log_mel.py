"""The log-mel front end, made of convolution and matrix products only, so that every provider runs all of it."""

import math
from typing import Final

import torch
import torchaudio
from scipy.signal import firwin
from torch import Tensor, nn

from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.networks.mel_power import RealFourier

MELS: Final = 64
FFT: Final = 1024
HOP: Final = 441
FLOOR: Final = 1e-8
_DECIMATION: Final = 2
_TAPS: Final = 32
# A window is a whole number of rows, and a hop of the decimated window too.
_ROW: Final = 60
_RADIX: Final = 32
_LOW_HZ: Final = 40.0
_HIGH_HZ: Final = 10_500.0
FRAMES: Final = ((WINDOW_SAMPLES - _TAPS) // _DECIMATION + 1 - FFT) // HOP + 1


class DecimatedMelPower(nn.Module):
    """Mean of the channels, decimated to 22.05 kHz, as power in 64 mel bands every 20 ms (46 ms Hann frames).

    Frames do not depend on the window's edges: there is no padding in time. Decimation and framing are of rows joined
    to the start of the next, in a third of the time of a convolution of one channel and a gather.

    Shape: `[batch, 2, 132300]` -> `[batch, 148, 64]`, full scale near 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("decimation", _decimation(), persistent=False)
        self.fourier = RealFourier(_RADIX, _RADIX, FFT, _DECIMATION * _HIGH_HZ / SAMPLE_RATE_HZ)
        window = torch.hann_window(FFT)
        self.register_buffer("window", window / window.sum() * 2, persistent=False)
        self.register_buffer("bands", self.fourier.reorder(_bands()), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Mel power of a batch of windows."""
        batch = audio.shape[0]
        summed = nn.functional.pad(audio[:, 0] + audio[:, 1], (0, _ROW))
        rows = summed.reshape(batch, -1, _ROW)
        joined = torch.cat([rows[:, :-1], rows[:, 1:, : _TAPS - _DECIMATION]], dim=2)
        hops = (joined @ self.get_buffer("decimation")).reshape(batch, -1, HOP)
        frames = torch.cat([hops[:, :-2], hops[:, 1:-1], hops[:, 2:, : FFT - 2 * HOP]], dim=2)
        power: Tensor = self.fourier(frames * self.get_buffer("window"))
        return power @ self.get_buffer("bands")


def _decimation() -> Tensor:
    """The low-pass for a row of both channels' sum and the start of the next row, `[90, 30]`; it halves the sum."""
    taps = torch.from_numpy(firwin(_TAPS, 0.92 / _DECIMATION)).float() / 2
    filters = torch.zeros(_ROW // _DECIMATION, _ROW + _TAPS - _DECIMATION)
    for place, row in enumerate(filters):
        row[_DECIMATION * place : _DECIMATION * place + _TAPS] = taps
    return filters.T.contiguous()


def _bands() -> Tensor:
    """Weights of the spectrum's bins in the mel bands, `[513, 64]`."""
    rate_hz = SAMPLE_RATE_HZ // _DECIMATION
    bands: Tensor = torchaudio.functional.melscale_fbanks(
        FFT // 2 + 1, _LOW_HZ, _HIGH_HZ, MELS, rate_hz, norm=None, mel_scale="htk"
    )
    return bands


class LogMel(nn.Module):
    """Natural logarithm of mel power above a floor of -80 dB, scaled to about [-1, 1].

    Shape: `[batch, 148, 64]` -> `[batch, 1, 64, 148]`
    """

    def forward(self, power: Tensor) -> Tensor:
        """What the convolutions see."""
        # log(power + FLOOR), with the floor as 1: exporters drop the addition of anything as small as 1e-8.
        above_floor = torch.log(power / FLOOR + 1.0)
        return (above_floor / 9.0 + (1.0 + math.log(FLOOR) / 9.0)).transpose(1, 2).unsqueeze(1)
