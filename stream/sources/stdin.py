"""Standard input as a source: raw PCM, or a recording that is piped into it."""

import importlib
import os
import re
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from whoplays.models.errors import SourceError
from whoplays.models.recordings.headers import BEGINNING
from whoplays.models.recordings.mpeg import SURVEY_BYTES, is_mpeg_audio
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.pcm import PcmFormat, decode
from whoplays.stream.audio.resample import WHOLE, ChannelSelection, Converter
from whoplays.stream.common.clock import ClockKind, GapCause

POLL_S: Final = 0.1
PIPE: Final = "pipe PCM into it: ffmpeg … -f s16le - | whoplays listen -"


CONTAINER: Final = re.compile(rb"ID3[\x02-\x04]|RIFF....|RIFX....|FORM....|....ftyp", re.DOTALL)
"""How recordings begin, besides those in `BEGINNING`, that nobody's PCM begins with."""


class PcmSource:
    """Raw PCM from a file descriptor, standard input by default; or a recording, if it begins as one.

    A pipe makes its writer wait while we are busy, so nothing is lost here.

    Raises:
        SourceError: standard input is closed, or a terminal.
    """

    def __init__(self, pcm: PcmFormat, descriptor: int | None = None, selection: ChannelSelection = WHOLE) -> None:
        self.name = "standard input"
        self.uri = "-"
        self.clock: ClockKind = "arrival"
        self.disconnect_cause: GapCause = "device_lost"
        self.live = False
        self._descriptor = _standard_input() if descriptor is None else descriptor
        if os.isatty(self._descriptor):
            raise SourceError(f"standard input is a terminal; {PIPE}")
        self._pcm = pcm
        self._selection = selection
        self._stopped = threading.Event()
        self._recording: Any = None

    @property
    def warning(self) -> str:
        """That a recording is longer than it states; see `Source`."""
        return self._recording.note if self._recording else ""

    def blocks(self) -> Iterator[Block]:
        """The audio up to the end of the input; see `Source`."""
        head = self._head()
        if not (BEGINNING.match(head) or CONTAINER.match(head) or is_mpeg_audio(head)):
            yield from self._pcm_blocks(head)
            return
        # FFmpeg is loaded where it is needed.
        piped: Any = importlib.import_module("whoplays.stream.sources.piped")
        unread = [head]
        self._recording = piped.PipedRecording(
            lambda: unread.pop() if unread else self._next(), self.name, self._selection
        )
        try:
            yield from self._recording.blocks()
        except SourceError:
            if not self._stopped.is_set():
                raise

    def _head(self) -> bytes:
        """Enough to know what it is."""
        head = b""
        while len(head) < SURVEY_BYTES and (data := self._next()):
            head += data
        return head

    def _pcm_blocks(self, head: bytes) -> Iterator[Block]:
        converter = Converter(self._pcm.rate_hz, self._pcm.channels, self._selection)
        for data in self._frames(head):
            frames = decode(data, self._pcm.encoding, self._pcm.channels)
            captured_at_ns = time.monotonic_ns()
            audio = converter.convert(frames, last=len(frames) == 0)
            yield Block(audio, captured_at_ns - converter.pending_ns)

    def stop(self) -> None:
        """Make `blocks` end soon; see `Source`."""
        self._stopped.set()

    def _frames(self, head: bytes) -> Iterator[bytes]:
        """Whole frames as they arrive, and none at all at the end of the input."""
        rest = head
        while not self._stopped.is_set():
            whole = len(rest) // self._pcm.frame_bytes * self._pcm.frame_bytes
            if whole:
                yield rest[:whole]
            data = self._next()
            if not data and not self._stopped.is_set():
                self._refuse_rest(len(rest) - whole)
                yield b""
                return
            rest = rest[whole:] + data

    def _next(self) -> bytes:
        """The next bytes as they arrive; none at the end, or when stopped."""
        while not self._stopped.is_set():
            if select.select([self._descriptor], [], [], POLL_S)[0]:
                return self._read()
        return b""

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
