"""The signal contract: what every model takes.

A window is `float32 [channels, samples]` in [-1, 1]: 3.000 s of stereo at 44 100 Hz.
"""

from typing import Final

SAMPLE_RATE_HZ: Final = 44_100
CHANNELS: Final = 2
WINDOW_SAMPLES: Final = 132_300
