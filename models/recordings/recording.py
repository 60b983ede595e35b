"""A recording, decoded from its first sample to the last one that is there, whatever its header states."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av

from whoplays.models.errors import SourceError
from whoplays.models.recordings.decoder import PartDecoder, Samples
from whoplays.models.recordings.headers import BEGINNING_BYTES
from whoplays.models.recordings.stated import ends_within_a_page, stated_duration_s
from whoplays.models.recordings.view import ByteSource, FileBytes, View

TOLERANCE_S: Final = 0.1
"""By how much what is there may differ from what is stated: encoders pad, and containers round."""
_OPTIONS: Final = {"protocol_whitelist": "file,crypto,data"}
"""What is read may name files here, and nothing elsewhere."""
_PLAYLIST: Final = re.compile(rb"(\xef\xbb\xbf)?(#EXTM3U|ffconcat|\[playlist\])", re.IGNORECASE)
"""FFmpeg would follow it to itself, to a pipe that nobody writes into, or for as long as it has no end."""
_ADVICE: Final = "give a WAV, FLAC, Ogg, MP3 or other recording"
_PIPE_OPTIONS: Final = {**_OPTIONS, "probesize": "65536"}
"""FFmpeg would wait for seconds of a live WAV to see that it is one."""


class Recording:
    """Audio in any container that FFmpeg reads, or several of them, one after another as `cat` joins them.

    What a header states of its length is compared with what is there. What is there is read, up to its end; what is
    missing or damaged is an error when all the rest is read.

    Args:
        source: its bytes.
        name: as messages show it.
        lost_value: of the samples that stand for what is damaged: 0, or NaN to tell them from silence.
    """

    def __init__(self, source: ByteSource, name: str, lost_value: float = 0.0) -> None:
        self.note = ""
        """That more is there than the header states, and was heard, once that is known; else empty."""
        self._source: Final = source
        self._name: Final = name
        self._lost_value: Final = lost_value
        self._heard_s = 0.0
        self._problem = ""

    def read(self) -> Iterator[Samples]:
        """All that is there, in order; once.

        Raises:
            SourceError: it cannot be read, has no audio, is shorter than it states, or is damaged.
        """
        start: int | None = 0
        try:
            while start is not None:
                start = yield from self._read_part(View(self._source, start))
        except OSError as error:
            raise SourceError(f"{self._name} cannot be read: {error.strerror}") from error
        if self._problem:
            raise SourceError(f"{self._name} {self._problem}")

    def _read_part(self, view: View) -> Generator[Samples, None, int | None]:
        """One container's audio; returns where the next one begins."""
        if _PLAYLIST.match(view.read_at(0, BEGINNING_BYTES)):
            self._refuse(view, "is a playlist", None, "give the recordings that it names")
            return None
        try:
            options = _OPTIONS if view.seekable() else _PIPE_OPTIONS
            container = av.open(view, "r", options=options, metadata_errors="replace")
        except av.error.FFmpegError as error:
            self._refuse(view, f"is not readable as audio ({_reason(view, error)})", error)
            return None
        with container:
            if not container.streams.audio:
                self._refuse(view, "has no audio", None)
                return None
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                self._refuse(view, "is of a codec that FFmpeg cannot decode", None)
                return None
            stated_s = stated_duration_s(view, container, stream)
            if view.extent.there and view.extent.replaced and view.extent.chunk and view.extent.chunk.stated:
                self.note = "its header states less than is there; it is read to its end"
            decoder = PartDecoder(container, stream, self._lost_value)
            for samples in decoder.decode():
                self._heard_s += len(samples.frames) / samples.rate_hz
                yield samples
        following = view.find_next(decoder.end)
        self._account(decoder, view.extent.stated_s(decoder.heard_s, decoder.end) or stated_s)
        if following is None:
            self._account_end(view, decoder)
        return following

    def _refuse(self, view: View, problem: str, error: Exception | None, advice: str = _ADVICE) -> None:
        if view.start:
            self._report(f"goes on after {self._heard_s:.1f} s with what {problem}")
            return
        raise SourceError(f"{self._name} {problem}; {advice}") from error

    def _account(self, decoder: PartDecoder, stated_s: float | None) -> None:
        """See whether all was heard of a part that has just been read."""
        heard_s = decoder.heard_s
        if decoder.undecodable and not heard_s:
            self._report("holds nothing that can be decoded; it is damaged, or of another codec than it states")
        elif stated_s and heard_s < stated_s - TOLERANCE_S:
            self._report(f"ends after {heard_s:.1f} s of {stated_s:.1f} s; it is cut off or damaged")
        elif decoder.lost_s > TOLERANCE_S:
            self._report(f"is damaged after {decoder.lost_at_s:.1f} s: {decoder.lost_s:.1f} s of it are lost")
        elif stated_s and heard_s > stated_s + TOLERANCE_S:
            self.note = f"its header states {stated_s:.1f} s; {heard_s:.1f} s are there, and were heard"

    def _account_end(self, view: View, decoder: PartDecoder) -> None:
        """See whether the last part is whole."""
        if view.changes_format():
            self._report(f"goes on after {self._heard_s:.1f} s in another format, which is not heard; convert it")
        elif ends_within_a_page(view):
            self._report(f"ends after {self._heard_s:.1f} s within a page; it is cut off")
        elif unread := decoder.unread_bytes(view.size()):
            self._report(f"is damaged: {unread} bytes of it are no audio")
        elif decoder.broke_off:
            self._report(f"is damaged after {self._heard_s:.1f} s: {_reason(view, decoder.broke_off)}")

    def _report(self, problem: str) -> None:
        self._problem = self._problem or problem


@contextmanager
def open_recording(path: Path, name: str, lost_value: float = 0.0) -> Iterator[Recording]:
    """Open a file; see `Recording`.

    Raises:
        SourceError: it cannot be opened.
    """
    try:
        file = path.open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise SourceError(f"{name} cannot be read: {getattr(error, 'strerror', error)}") from error
    with file:
        yield Recording(FileBytes(file.fileno(), path), name, lost_value)


def _reason(view: View, error: av.error.FFmpegError) -> str:
    if not isinstance(error, av.error.InvalidDataError):
        return str(error.strerror)
    if view.read_at(4, 4) == b"ftyp":
        return "its index is missing: it is cut off, or its recorder did not end it"
    return "FFmpeg cannot read it"
