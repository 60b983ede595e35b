"""A recording that is piped into standard input."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Final

from whoplays.models.errors import SourceError
from whoplays.models.recordings.recording import Recording
from whoplays.models.recordings.view import PipeBytes
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelSelection, VaryingConverter

CONVERT: Final = "give its path, or convert it: ffmpeg -i FILE -f s16le -ac 2 -ar 44100 - | whoplays listen -"


class PipedRecording:
    """A WAV, FLAC, Ogg or other recording as it comes through a pipe.

    Args:
        more: brings the next bytes, waiting for them; none at the end.
        name: as messages show it.
        selection: which channels are taken, and how loud.
    """

    def __init__(self, more: Callable[[], bytes], name: str, selection: ChannelSelection) -> None:
        self._recording: Final = Recording(PipeBytes(more), name, math.nan)
        self._converter: Final = VaryingConverter(selection)

    @property
    def note(self) -> str:
        """That more came than its header states."""
        return self._recording.note

    def blocks(self) -> Iterator[Block]:
        """The audio up to its end.

        Raises:
            SourceError: it cannot be read from a pipe, is shorter than it states, or is damaged.
        """
        heard = False
        try:
            for samples in self._recording.read():
                captured_at_ns = time.monotonic_ns()
                for audio in self._converter.convert(*samples):
                    heard = True
                    yield Block(audio, captured_at_ns - self._converter.pending_ns)
        except SourceError as error:
            yield from self._finish()
            raise error if heard else SourceError(f"{error}; {CONVERT}") from error
        yield from self._finish()

    def _finish(self) -> Iterator[Block]:
        for audio in self._converter.finish():
            yield Block(audio, time.monotonic_ns())
