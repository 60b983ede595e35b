"""What FFmpeg decodes as float samples."""

from typing import Final

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

_TYPES: Final = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


def to_float(frame: AudioFrame) -> NDArray[np.float32]:
    """A frame's samples: `[n, channels]` float32, nominally in [-1, 1], whatever they are made of."""
    dtype = np.dtype(_TYPES[frame.format.name.removesuffix("p")])
    channels = frame.layout.nb_channels
    # PyAV takes what stands behind the eighth plane for one more, and `to_ndarray` reads it: the process dies.
    if frame.format.is_planar:
        planes = frame.planes[:channels]
        interleaved = np.stack([np.frombuffer(bytes(plane), dtype, frame.samples) for plane in planes], axis=1)
    else:
        interleaved = np.frombuffer(bytes(frame.planes[0]), dtype, frame.samples * channels).reshape(-1, channels)
    if dtype.kind == "f":
        return interleaved.astype(np.float32)
    full_scale = 2.0 ** (8 * dtype.itemsize - 1)
    middle = full_scale if dtype.kind == "u" else 0.0
    return ((interleaved - middle) / full_scale).astype(np.float32)
