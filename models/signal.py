"""The signal contract: what every model takes.

A window is `float32 [channels, samples]` in [-1, 1]: 3.000 s of stereo at 44 100 Hz. Some models take its spectrogram
(`whoplays.models.spectrogram`) in place of it.
"""

from typing import Final, Literal

SAMPLE_RATE_HZ: Final = 44_100
CHANNELS: Final = 2
WINDOW_SAMPLES: Final = 132_300

SpectrogramKind = Literal["log-mel-128"]
"""What a card calls the spectrogram."""
SPECTROGRAM_INPUT: Final = "spectrogram"
"""What a graph calls the input that takes it."""
SPECTROGRAM_SHAPE: Final = (298, 128)
"""`[frames, bands]` of a window's."""
