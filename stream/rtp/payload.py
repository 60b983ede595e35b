"""From the bytes of a payload to samples."""

import numpy as np

from stream.ring import Audio
from stream.rtp.formats import Format


def decode(payload: bytes, form: Format) -> Audio:
    """Whole frames of linear PCM as `[frames, channels]` float32 in [-1, 1)."""
    if form.bits == 16:
        samples = np.frombuffer(payload, ">i2") * np.float32(2**-15)
    else:
        # Three bytes become the upper three of four, so that the sign comes out right.
        padded = np.zeros((len(payload) // 3, 4), np.uint8)
        padded[:, :3] = np.frombuffer(payload, np.uint8).reshape(-1, 3)
        samples = padded.view(">i4").ravel() * np.float32(2**-31)
    return samples.astype(np.float32, copy=False).reshape(-1, form.channels)
