"""From frames at the sender's rate to blocks, of which each is wholly heard or wholly lost."""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from models.signal import SAMPLE_RATE_HZ
from stream.convert import Converter
from stream.intake import Intake
from stream.ring import Audio
from stream.rtp.formats import Format
from stream.source import Block, Cause


class _Span(NamedTuple):
    end: int
    """Index of the output sample after its last."""
    lost: Cause | None


class Renderer:
    """Converts frames, and remembers which of the converted samples stand for lost ones.

    A converter gives samples later than it takes frames, so what it gives at once can be heard in part and lost in
    part: it is cut where the one ends and the other begins.

    Raises:
        SourceError: a chosen channel is not there.
    """

    def __init__(self, form: Format, intake: Intake) -> None:
        self._converter: Final = Converter(form.rate_hz, form.channels, intake)
        self._form: Final = form
        self._spans: Final[deque[_Span]] = deque()
        self._frames_in = 0
        self._samples_out = 0

    def heard(self, frames: Audio, heard_ns: int) -> Iterator[Block]:
        """Blocks of frames, `[n, channels]`, the last of which was heard at `heard_ns`."""
        return self._render(frames, None, heard_ns)

    def lost(self, frames: int, cause: Cause, heard_ns: int) -> Iterator[Block]:
        """Blocks of so many lost frames, the last of which would have been heard at `heard_ns`."""
        return self._render(np.zeros((frames, self._form.channels), np.float32), cause, heard_ns)

    def finish(self, heard_ns: int) -> Iterator[Block]:
        """What is left when nothing follows."""
        rest = self._converter.convert(np.zeros((0, self._form.channels), np.float32), last=True)
        return self._cut(rest, heard_ns)

    def _render(self, frames: Audio, lost: Cause | None, heard_ns: int) -> Iterator[Block]:
        self._frames_in += len(frames)
        if self._spans and self._spans[-1].lost == lost:
            self._spans.pop()
        self._spans.append(_Span(self._frames_in * SAMPLE_RATE_HZ // self._form.rate_hz, lost))
        audio = self._converter.convert(frames)
        return self._cut(audio, heard_ns - self._converter.pending_ns)

    def _cut(self, audio: Audio, heard_ns: int) -> Iterator[Block]:
        while audio.shape[1]:
            end, lost = self._spans[0]
            # What rounding leaves over belongs to the last span.
            samples = min(end - self._samples_out, audio.shape[1]) if len(self._spans) > 1 else audio.shape[1]
            piece, audio = audio[:, :samples], audio[:, samples:]
            self._samples_out += samples
            if self._samples_out >= end and len(self._spans) > 1:
                self._spans.popleft()
            if samples:
                ahead_ns = audio.shape[1] * 1_000_000_000 // SAMPLE_RATE_HZ
                yield Block(np.zeros_like(piece) if lost else piece, heard_ns - ahead_ns, lost)
