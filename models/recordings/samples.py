"""What FFmpeg decodes as float samples."""

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray


def to_float(frame: AudioFrame) -> NDArray[np.float32]:
    """A frame's samples: `[n, channels]` float32, nominally in [-1, 1], whatever they are made of."""
    values = frame.to_ndarray()
    interleaved = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
    if values.dtype.kind == "f":
        return interleaved.astype(np.float32)
    full_scale = 2.0 ** (8 * values.dtype.itemsize - 1)
    middle = full_scale if values.dtype.kind == "u" else 0.0
    return ((interleaved - middle) / full_scale).astype(np.float32)
