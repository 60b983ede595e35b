"""Raw PCM on standard input as a source."""

import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.pcm import PcmFormat, decode
from whoplays.stream.audio.resample import WHOLE, ChannelSelection, Converter
from whoplays.stream.common.clock import ClockKind, GapCause

POLL_S: Final = 0.1
PIPE: Final = "pipe PCM into it: ffmpeg … -f s16le - | whoplays listen -"


class PcmSource:
    """Raw PCM from a file descriptor, standard input by default.

    A pipe makes its writer wait while we are busy, so nothing is lost here.

    Raises:
        SourceError: standard input is closed, or a terminal.
    """

    def __init__(self, pcm: PcmFormat, descriptor: int | None = None, selection: ChannelSelection = WHOLE) -> None:
        self.name = "standard input"
        self.uri = "-"
        self.clock: ClockKind = "arrival"
        self.disconnect_cause: GapCause = "device_lost"
        self.warning = ""
        self.live = False
        self._descriptor = _standard_input() if descriptor is None else descriptor
        if os.isatty(self._descriptor):
            raise SourceError(f"standard input is a terminal; {PIPE}")
        self._pcm = pcm
        self._selection = selection
        self._stopped = threading.Event()

    def blocks(self) -> Iterator[Block]:
        """The audio up to the end of the input; see `Source`."""
        converter = Converter(self._pcm.rate_hz, self._pcm.channels, self._selection)
        for data in self._frames():
            frames = decode(data, self._pcm.encoding, self._pcm.channels)
            captured_at_ns = time.monotonic_ns()
            audio = converter.convert(frames, last=len(frames) == 0)
            yield Block(audio, captured_at_ns - converter.pending_ns)

    def stop(self) -> None:
        """Make `blocks` end soon; see `Source`."""
        self._stopped.set()

    def _frames(self) -> Iterator[bytes]:
        """Whole frames as they arrive, and none at all at the end of the input."""
        rest = b""
        while not self._stopped.is_set():
            if not select.select([self._descriptor], [], [], POLL_S)[0]:
                continue
            data = self._read()
            if not data:
                self._refuse_rest(len(rest))
                yield b""
                return
            whole = (len(rest) + len(data)) // self._pcm.frame_bytes * self._pcm.frame_bytes
            data = rest + data
            rest = data[whole:]
            if whole:
                yield data[:whole]

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 1 << 16)
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror}; {PIPE}") from error

    def _refuse_rest(self, extra: int) -> None:
        if extra:
            raise SourceError(
                f"the PCM ended {extra} bytes into a frame of {self._pcm.frame_bytes}; "
                "it is cut off, or of another format or number of channels than it was said to be"
            )


def _standard_input() -> int:
    if sys.stdin is None:
        raise SourceError(f"standard input is closed; {PIPE}")
    return sys.stdin.fileno()
