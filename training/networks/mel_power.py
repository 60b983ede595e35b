"""The front end within a graph: `whoplays.models.spectrogram` as matrix products, which every provider runs."""

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.models.spectrogram import (
    FFT_SAMPLES,
    FLOOR,
    FRAME_SAMPLES,
    HIGH_HZ,
    HOP_SAMPLES,
    OFFSET,
    SCALE,
    band_weights,
    frame_window,
    mel_triangles,
)

# Of the transform of 1,440 samples.
_FIRST: Final = 48
_SECOND: Final = 30


class MelPower(nn.Module):
    """Mean of the channels as power in 128 mel bands every 10 ms (25 ms Hann frames).

    Shape: `[batch, 2, 132300]` -> `[batch, 298, 128]`, as the tagger it stands for would find it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fourier = RealFourier(_FIRST, _SECOND, FRAME_SAMPLES, HIGH_HZ / SAMPLE_RATE_HZ)
        window = torch.zeros(self.fourier.samples)
        window[:FRAME_SAMPLES] = torch.from_numpy(frame_window())
        self.register_buffer("window", window, persistent=False)
        bands = self.fourier.reorder(torch.from_numpy(band_weights()))
        self.register_buffer("bands", bands, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Mel power of a batch of windows."""
        batch = audio.shape[0]
        hops = (audio[:, 0] + audio[:, 1]).reshape(batch, -1, HOP_SAMPLES)
        rest = self.fourier.samples - 2 * HOP_SAMPLES
        frames = torch.cat([hops[:, :-2], hops[:, 1:-1], hops[:, 2:, :rest]], dim=2)
        power: Tensor = self.fourier(frames * self.get_buffer("window"))
        return power @ self.get_buffer("bands")


def log_mel(power: Tensor) -> Tensor:
    """What the network is given: a scaled logarithm (Schmid et al., 2023). Any shape -> the same."""
    return (torch.log(power + FLOOR) + OFFSET) / SCALE


def band_widths_hz() -> NDArray[np.float32]:
    """How wide each mel band is: its triangle's area. Shape: `float32 [128]`."""
    return np.asarray(mel_triangles().sum(axis=0) * SAMPLE_RATE_HZ / FFT_SAMPLES, np.float32)


class RealFourier(nn.Module):
    """Power spectrum of real samples, followed by zeros, by two stages of transforms as matrix products.

    Cooley and Tukey (1965): with a size of P Q, n = Q a + b and k = c + P d,
    X[k] = sum over b of W_Q^(b d) W_PQ^(b c) [ sum over a of x[n] W_P^(a c) ].
    The input is real, so c runs over 0..P/2 only: the other bins mirror these. Bins above `highest` are left out, and
    so are samples beyond the last one that is not zero.

    Shape: `[batch, frames, samples]` -> `[batch, frames, bins]`: bins in the order of `bins`, some of them twice.

    Args:
        first: P, even.
        second: Q.
        samples: how many are not zero, at most P Q.
        highest: the frequency up to which bins are wanted, as a share of the sample rate.
    """

    def __init__(self, first: int, second: int, samples: int, highest: float) -> None:
        super().__init__()
        self.size: Final = first * second
        self._shape: Final = (-(-samples // second), second)
        self.samples: Final = self._shape[0] * second
        """How many samples a frame is given with: zeros follow those that are not."""
        low, across = torch.arange(first // 2 + 1), torch.arange(second)
        wanted = int(highest * self.size) + 1
        # For each d, the bins c + P d; a bin beyond half the size mirrors one below.
        every = low[:, None] + first * across[None, :]
        used = (torch.minimum(every, self.size - every) <= wanted).any(dim=0)
        upper = across[used]
        self.bins: Final = (low[:, None] + first * upper[None, :]).flatten()
        outer = torch.view_as_real(_turn(low[:, None] * torch.arange(self._shape[0])[None, :], first))
        self.register_buffer("outer", outer.transpose(1, 2).flatten(0, 1).contiguous(), persistent=False)
        twiddle = _turn(low[:, None] * across[None, :], self.size)
        folded = twiddle[:, :, None] * _turn(across[:, None] * upper[None, :], second)[None]
        real = torch.cat([folded.real, folded.imag], dim=2)
        imaginary = torch.cat([-folded.imag, folded.real], dim=2)
        self.register_buffer("inner", torch.cat([real, imaginary], dim=1).contiguous(), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Power of each bin."""
        batch, count, _ = frames.shape
        inner = self.get_buffer("inner")
        # For each c, a frame's (real, imaginary) b times [(real, imaginary) b, (real, imaginary) d].
        columns = self.get_buffer("outer") @ frames.reshape(batch * count, *self._shape)
        spectrum = columns.reshape(batch * count, *inner.shape[:2]).transpose(0, 1) @ inner
        real, imaginary = spectrum.chunk(2, dim=-1)
        power = real * real + imaginary * imaginary
        return power.transpose(0, 1).reshape(batch, count, -1)

    def reorder(self, bands: Tensor) -> Tensor:
        """Rows of a `[size / 2 + 1, bands]` matrix in the order of `bins`; mirrored bins share their weight.

        Raises:
            ValueError: a band reaches bins that are left out.
        """
        mirrored = torch.minimum(self.bins, self.size - self.bins)
        times = torch.bincount(mirrored, minlength=bands.shape[0])
        if bands[times == 0].any():
            raise ValueError("a band reaches bins that the transform leaves out")
        return bands[mirrored] / times[mirrored][:, None]


def _turn(steps: Tensor, size: int) -> Tensor:
    """exp(-2 pi i steps / size), computed in double precision."""
    angle = -2 * math.pi * (steps % size).double() / size
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)
