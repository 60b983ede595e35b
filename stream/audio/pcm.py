"""Raw PCM: samples as bytes, those of all channels after one another, frame by frame."""

from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from whoplays.models.errors import OptionError, require_between
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.resample import MOST_CHANNELS, RATES_HZ

Encoding = Literal["s16le", "s24le", "s32le", "f32le"]
ExactEncoding = Literal["s16le", "s24le", "f32le"]
"""Those of which float32 holds every value."""
NetworkEncoding = Literal["s16be", "s24be"]
"""L16 (RFC 3551) and L24 (RFC 3190)."""
WIDTH_BYTES: Final[dict[Encoding, int]] = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}


class PcmFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How raw PCM is to be read: interleaved samples, little endian.

    Raises:
        OptionError: the encoding is unknown, or the rate or the channel count is out of range.
    """

    encoding: Encoding = "s16le"
    rate_hz: int = SAMPLE_RATE_HZ
    channels: int = 2

    def __post_init__(self) -> None:
        if self.encoding not in WIDTH_BYTES:
            raise OptionError(f"PCM format must be one of {', '.join(WIDTH_BYTES)}, got {self.encoding!r}")
        require_between("PCM rate", self.rate_hz, RATES_HZ[0], RATES_HZ[-1], "Hz")
        require_between("PCM channels", self.channels, 1, MOST_CHANNELS)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return WIDTH_BYTES[self.encoding] * self.channels


def decode(data: bytes, encoding: Encoding | NetworkEncoding, channels: int) -> Audio:
    """Whole frames as `[frames, channels]` float32; of integers, in [-1, 1)."""
    big = encoding.endswith("be")
    order = ">" if big else "<"
    match encoding:
        case "s16le" | "s16be":
            samples = np.frombuffer(data, f"{order}i2") * np.float32(2**-15)
        case "s24le" | "s24be":
            # Three bytes become the upper three of four, so that the sign comes out right.
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, slice(3) if big else slice(1, 4)] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples = padded.view(f"{order}i4").ravel() * np.float32(2**-31)
        case "s32le":
            samples = np.frombuffer(data, "<i4") * np.float32(2**-31)
        case "f32le":
            samples = np.frombuffer(data, "<f4")
    return samples.astype(np.float32, copy=False).reshape(-1, channels)


def encode(audio: Audio, encoding: ExactEncoding) -> bytes:
    """Audio as PCM; whatever came from PCM of the same encoding comes out bit by bit.

    Args:
        audio: `[frames, channels]` float32, nominally in [-1, 1]; integer encodings clip what is beyond.
        encoding: how.
    """
    match encoding:
        case "s16le":
            return _whole(audio, 15).astype("<i2").tobytes()
        case "s24le":
            return _whole(audio, 23).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        case "f32le":
            return audio.astype("<f4").tobytes()


def _whole(audio: Audio, bits: int) -> npt.NDArray[np.int32]:
    full = 2**bits
    return np.ascontiguousarray(np.clip(np.rint(audio * np.float32(full)), -full, full - 1).astype("<i4"))
