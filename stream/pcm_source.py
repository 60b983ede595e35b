"""Raw PCM on standard input as a source."""

import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final, Literal

import msgspec
import numpy as np

from models.errors import OptionError, SourceError
from models.signal import SAMPLE_RATE_HZ
from stream.convert import RATES_HZ, WHOLE, Converter
from stream.intake import MOST_CHANNELS, Intake
from stream.ring import Audio
from stream.source import Block, Cause, ClockKind

Encoding = Literal["s16le", "s24le", "s32le", "f32le"]
WIDTH_BYTES: Final[dict[Encoding, int]] = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}
POLL_S: Final = 0.1
PIPE: Final = "pipe PCM into it: ffmpeg … -f s16le - | whoplays listen -"


class PcmFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How raw PCM is to be read: interleaved samples, little endian.

    Raises:
        OptionError: the encoding, the rate or the channel count makes no sense.
    """

    encoding: Encoding = "s16le"
    rate_hz: int = SAMPLE_RATE_HZ
    channels: int = 2

    def __post_init__(self) -> None:
        if self.encoding not in WIDTH_BYTES:
            raise OptionError(f"unknown PCM format {self.encoding!r}; known are {', '.join(WIDTH_BYTES)}")
        if self.rate_hz not in RATES_HZ:
            lowest, highest = RATES_HZ[0], RATES_HZ[-1]
            raise OptionError(f"PCM at {self.rate_hz} Hz makes no sense; give a rate from {lowest} to {highest}")
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise OptionError(f"PCM of {self.channels} channels makes no sense; give 1 to {MOST_CHANNELS}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return WIDTH_BYTES[self.encoding] * self.channels


class PcmSource:
    """Raw PCM from a file descriptor, standard input by default.

    A pipe makes its writer wait while we are busy, so nothing is lost here.

    Raises:
        SourceError: standard input is closed, or a terminal.
    """

    def __init__(self, pcm: PcmFormat, descriptor: int | None = None, intake: Intake = WHOLE) -> None:
        self.name = "standard input"
        self.uri = "-"
        self.clock: ClockKind = "arrival"
        self.outage: Cause = "device_lost"
        self.remark = ""
        self.live = False
        self._descriptor = _standard_input() if descriptor is None else descriptor
        if os.isatty(self._descriptor):
            raise SourceError(f"standard input is a terminal; {PIPE}")
        self._pcm = pcm
        self._intake = intake
        self._stopped = threading.Event()

    def blocks(self) -> Iterator[Block]:
        """The audio up to the end of the input; see `Source`."""
        converter = Converter(self._pcm.rate_hz, self._pcm.channels, self._intake)
        for frames in self._frames():
            heard_ns = time.monotonic_ns()
            audio = converter.convert(frames, last=len(frames) == 0)
            yield Block(audio, heard_ns - converter.pending_ns)

    def stop(self) -> None:
        """Make `blocks` end soon; see `Source`."""
        self._stopped.set()

    def _frames(self) -> Iterator[Audio]:
        """The frames as they arrive, and none at all at the end of the input."""
        rest = b""
        while not self._stopped.is_set():
            if not select.select([self._descriptor], [], [], POLL_S)[0]:
                continue
            data = self._read()
            if not data:
                self._refuse_rest(len(rest))
                yield decode(b"", self._pcm)
                return
            whole = (len(rest) + len(data)) // self._pcm.frame_bytes * self._pcm.frame_bytes
            data = rest + data
            rest = data[whole:]
            if whole:
                yield decode(data[:whole], self._pcm)

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 1 << 16)
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror}; {PIPE}") from error

    def _refuse_rest(self, extra: int) -> None:
        if extra:
            raise SourceError(
                f"the PCM ended {extra} bytes into a frame of {self._pcm.frame_bytes}; "
                "it is cut off, or --format or --channels is wrong"
            )


def _standard_input() -> int:
    if sys.stdin is None:
        raise SourceError(f"standard input is closed; {PIPE}")
    return sys.stdin.fileno()


def decode(data: bytes, pcm: PcmFormat) -> Audio:
    """Whole frames of raw PCM as `[frames, channels]` float32 in [-1, 1)."""
    match pcm.encoding:
        case "s16le":
            samples = np.frombuffer(data, "<i2") * np.float32(2**-15)
        case "s24le":
            # Three bytes become the upper three of four, so that the sign comes out right.
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples = padded.view("<i4").ravel() * np.float32(2**-31)
        case "s32le":
            samples = np.frombuffer(data, "<i4") * np.float32(2**-31)
        case "f32le":
            samples = np.frombuffer(data, "<f4")
    return samples.astype(np.float32, copy=False).reshape(-1, pcm.channels)
