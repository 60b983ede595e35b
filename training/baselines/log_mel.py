"""The log-mel front end, made of convolution and matrix products only, so that every provider runs all of it."""

import math
from typing import Final

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from scipy.signal import firwin
from torch import Tensor, nn

from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES

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


class MelPower(nn.Module):
    """Mean of the channels, decimated to 22.05 kHz, as power in 64 mel bands every 20 ms (46 ms Hann frames).

    Frames do not depend on the window's edges: there is no padding in time. Decimation and framing are of rows joined
    to the start of the next, in a third of the time of a convolution of one channel and a gather.

    Shape: `[batch, 2, 132300]` -> `[batch, 148, 64]`, full scale near 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("decimation", _decimation(), persistent=False)
        self.fourier = RealFourier()
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


def band_widths() -> NDArray[np.float32]:
    """How many bins of the spectrum each mel band sums, weighted. Shape: `float32 [64]`."""
    return np.asarray(_bands().sum(dim=0).numpy())


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


class RealFourier(nn.Module):
    """Power spectrum of 1024 real samples by two stages of 32-point transforms, as matrix products.

    Cooley and Tukey (1965): with n = 32 a + b and k = c + 32 d,
    X[k] = sum over b of W32^(b d) W1024^(b c) [ sum over a of x[n] W32^(a c) ].
    The input is real, so c runs over 0..16 only; the other bins mirror these. d = 16, the bins next to half the sample
    rate, is left out: no band reaches them. About 100 000 products a frame, a tenth of the plain matrix.

    Shape: `[batch, frames, 1024]` -> `[batch, frames, 527]`: bins in the order of `bins()`, some of them twice.
    """

    def __init__(self) -> None:
        super().__init__()
        low = torch.arange(_RADIX // 2 + 1)
        full = torch.arange(_RADIX)
        first = _turn(low[:, None] * full[None, :], _RADIX)
        twiddle = _turn(low[:, None] * full[None, :], FFT)
        second = _turn(full[:, None] * _upper()[None, :], _RADIX)
        # One matrix a stage, twiddles folded in: [c (re, im), a], then for each c [b (re, im), d (re, im)].
        self.register_buffer("first", torch.cat([first.real, first.imag]).contiguous(), persistent=False)
        folded = twiddle[:, :, None] * second[None]
        upper = torch.cat([folded.real, folded.imag], dim=2)
        lower = torch.cat([-folded.imag, folded.real], dim=2)
        self.register_buffer("second", torch.cat([upper, lower], dim=1).contiguous(), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Power of each bin."""
        batch, count, _ = frames.shape
        grid = frames.reshape(batch * count, _RADIX, _RADIX)
        inner = self.get_buffer("first") @ grid
        half = _RADIX // 2 + 1
        columns = torch.cat([inner[:, :half], inner[:, half:]], dim=2).transpose(0, 1)
        spectrum = columns @ self.get_buffer("second")
        real, imaginary = spectrum.chunk(2, dim=-1)
        power = real * real + imaginary * imaginary
        return power.transpose(0, 1).reshape(batch, count, -1)

    def reorder(self, bands: Tensor) -> Tensor:
        """Rows of a `[513, bands]` matrix in the order of this transform's output; mirrored bins share their weight.

        Shape: `[513, bands]` -> `[527, bands]`

        Raises:
            ValueError: a band reaches bins that are left out.
        """
        bins = self.bins()
        mirrored = torch.minimum(bins, FFT - bins)
        times = torch.bincount(mirrored, minlength=bands.shape[0])
        if bands[times == 0].any():
            raise ValueError("a band reaches bins that the transform leaves out")
        return bands[mirrored] / times[mirrored][:, None]

    @staticmethod
    def bins() -> Tensor:
        """The frequency bin, 0..1023, of each output."""
        low = torch.arange(_RADIX // 2 + 1)
        return (low[:, None] + _RADIX * _upper()[None, :]).flatten()


def _upper() -> Tensor:
    """The values of d, 0..31 without 16."""
    every = torch.arange(_RADIX)
    return every[every != _RADIX // 2]


def _turn(steps: Tensor, size: int) -> Tensor:
    """exp(-2 pi i steps / size), computed in double precision."""
    angle = -2 * math.pi * (steps % size).double() / size
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)
