"""Another sample rate inside a network, as a matrix product over rows."""

from math import ceil, gcd
from typing import Final

import torch
from torch import Tensor, nn

from whoplays.models.signal import SAMPLE_RATE_HZ

_CROSSINGS: Final = 48
_HALF: Final = 0.95
"""Where the filter lets half of the amplitude pass, as a share of the lower rate's band."""


class Resampled(nn.Module):
    """From 44.1 kHz to a lower rate by a sinc filter under a Hann window, of 48 zero crossings on either side.

    A row is the least number of samples that both rates share; each is joined to the end of the one before and the
    start of the next, so the filter may not reach further than a row.

    Source: Smith, "Digital Audio Resampling" (ccrma.stanford.edu/~jos/resample).

    Shape: `[batch, samples]`, whole rows (441 for 32 kHz) -> `[batch, samples * rate / 44100]`

    Raises:
        ValueError: a row at this rate is shorter than the filter.
    """

    def __init__(self, rate_hz: int) -> None:
        super().__init__()
        shared = gcd(rate_hz, SAMPLE_RATE_HZ)
        self.row, made = SAMPLE_RATE_HZ // shared, rate_hz // shared
        band = _HALF * rate_hz / SAMPLE_RATE_HZ
        self.reach = ceil(_CROSSINGS / band)
        if self.reach > self.row:
            raise ValueError(f"a row of {self.row} samples for {rate_hz} Hz is shorter than the filter, {self.reach}")
        when = torch.arange(made, dtype=torch.float64) * self.row / made
        taps = torch.arange(-self.reach, self.row + self.reach, dtype=torch.float64)
        away = taps[:, None] - when
        window = torch.cos(torch.pi * away / (2 * self.reach)).square() * (away.abs() < self.reach)
        self.register_buffer("filters", (band * torch.sinc(band * away) * window).float(), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """The same audio at the other rate; silence before and after it."""
        batch = audio.shape[0]
        rows = nn.functional.pad(audio, (self.row, self.row)).reshape(batch, -1, self.row)
        before, after = rows[:, :-2, self.row - self.reach :], rows[:, 2:, : self.reach]
        resampled: Tensor = torch.cat([before, rows[:, 1:-1], after], dim=2) @ self.get_buffer("filters")
        return resampled.reshape(batch, -1)
