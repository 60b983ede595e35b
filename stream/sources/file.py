"""A recording as a source."""

import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import soundfile

from whoplays.models.errors import SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import WHOLE, ChannelSelection, Converter
from whoplays.stream.common.clock import ClockKind, GapCause

GRID_SAMPLES: Final = SAMPLE_RATE_HZ // 100


def in_real_time(pieces: Iterable[Audio], stopped: threading.Event) -> Iterator[Block]:
    """Hand each piece out when its last sample is due, by an absolute schedule that starts with the first.

    Pieces are cut at every multiple of 10 ms, so that a window that closes there is complete at once. Lateness never
    adds up: after a pause, what is overdue comes out at once, with the time it was due.

    Args:
        pieces: `[2, n]` float32, any n.
        stopped: ends the playing.
    """
    start_ns = time.monotonic_ns()
    played = 0
    for piece in pieces:
        for part in _cut(piece, played):
            played += part.shape[1]
            due_ns = start_ns + played * 1_000_000_000 // SAMPLE_RATE_HZ
            if stopped.wait(max(0, due_ns - time.monotonic_ns()) / 1e9):
                return
            yield Block(part, due_ns)


def _cut(piece: Audio, played: int) -> Iterator[Audio]:
    at = 0
    while at < piece.shape[1]:
        to_grid = GRID_SAMPLES - (played + at) % GRID_SAMPLES
        yield piece[:, at : at + to_grid]
        at += to_grid


Speed = Literal["realtime", "max"]

UNKNOWN_FRAMES: Final = 2**63 - 1
"""What libsndfile says of a length that the file does not tell (`SF_COUNT_MAX`)."""


class FileSource:
    """A file in any format that libsndfile reads, of any rate and channel count.

    In real time it plays as if it were live, and does not wait for a listener that is too slow; at `max` speed it
    waits, and nothing is lost. A FLAC whose writer could not tell its length, because it wrote into a pipe, is read to
    its end.

    Raises:
        SourceError: it is missing, empty, no audio, or known to be shorter than a window.
    """

    def __init__(self, path: Path, speed: Speed = "realtime", selection: ChannelSelection = WHOLE) -> None:
        self.name = _shown(Path(path.name))
        self.uri = path.absolute().as_uri()
        self.clock: ClockKind = "file"
        self.disconnect_cause: GapCause = "device_lost"
        self.warning = ""
        self.live = speed == "realtime"
        self._stopped = threading.Event()
        self._path = path
        self._selection = selection
        self._frames, self._rate_hz, self._channels = _inspect(path)

    def blocks(self) -> Iterator[Block]:
        """The recording from first to last sample; see `Source`."""
        if self.live:
            return in_real_time(self._pieces(self._rate_hz // 10), self._stopped)
        return (Block(piece, time.monotonic_ns()) for piece in self._pieces(self._rate_hz))

    def stop(self) -> None:
        """Make `blocks` end soon; see `Source`."""
        self._stopped.set()

    def _pieces(self, frames: int) -> Iterator[Audio]:
        converter = Converter(self._rate_hz, self._channels, self._selection)
        read = 0
        try:
            with _Forward(os.fsencode(self._path)) as file:
                last = False
                while not self._stopped.is_set() and not last:
                    chunk = file.read(frames, dtype="float32", always_2d=True)
                    read += len(chunk)
                    last = self._is_last(len(chunk), read)
                    yield converter.convert(chunk, last=last)
        except (soundfile.LibsndfileError, OSError) as error:
            heard_s = read / self._rate_hz
            raise SourceError(f"{_shown(self._path)} is damaged after {heard_s:.1f} s: {_reason(error)}") from error

    def _is_last(self, chunk: int, read: int) -> bool:
        if self._frames is None:
            return chunk == 0
        if chunk == 0:
            heard_s, promised_s = read / self._rate_hz, self._frames / self._rate_hz
            raise SourceError(
                f"{_shown(self._path)} ends after {heard_s:.1f} s of {promised_s:.1f} s; it is cut off or damaged"
            )
        return read == self._frames


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A file that is read from first to last: after each read soundfile would seek, which fails if no end is known."""

    def seekable(self) -> bool:
        return False


def open_file(uri: str, selection: ChannelSelection, speed: Speed = "realtime") -> FileSource:
    """Open a file by its path or its `file://` address.

    Raises:
        SourceError: see `FileSource`.
    """
    scheme, separator, _ = uri.partition("://")
    if not separator or scheme.lower() != "file":
        return FileSource(Path(uri), speed, selection)
    try:
        # Whatever is not UTF-8 stays as it is, as in every other path.
        path = unquote(urlsplit(uri).path, errors="surrogateescape")
    except ValueError as error:
        raise SourceError(f"{uri!r} is not the address of a file: {error}; give its path") from error
    return FileSource(Path(path), speed, selection)


def _inspect(path: Path) -> tuple[int | None, int, int]:
    """Frames, if their number is known, sample rate, and channels."""
    _refuse_other(path)
    try:
        info = soundfile.info(os.fsencode(path))
    except (soundfile.LibsndfileError, OSError) as error:
        what = "is empty" if path.stat().st_size == 0 else f"is not readable as audio ({_reason(error)})"
        raise SourceError(f"{_shown(path)} {what}; give a WAV, FLAC, Ogg, MP3 or other recording") from error
    if info.frames == UNKNOWN_FRAMES:
        return None, info.samplerate, info.channels
    _refuse_short(path, info.frames / info.samplerate)
    return info.frames, info.samplerate, info.channels


def _refuse_other(path: Path) -> None:
    """Refuse what is not a file: opening a pipe could wait for ever."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise SourceError(f"file {_shown(path)} not found") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{_shown(path)} cannot be read: {_reason(error)}") from error
    if stat.S_ISDIR(mode):
        raise SourceError(f"{_shown(path)} is a folder; give one audio file")
    if not stat.S_ISREG(mode):
        raise SourceError(f"{_shown(path)} is not a file; pipe PCM into whoplays listen -")


def _refuse_short(path: Path, duration_s: float) -> None:
    window_s = WINDOW_SAMPLES / SAMPLE_RATE_HZ
    if duration_s == 0:
        raise SourceError(f"{_shown(path)} holds no samples; give a recording of {window_s:.0f} s or more")
    if duration_s < window_s:
        raise SourceError(f"{_shown(path)} lasts {duration_s:.2f} s; a window needs {window_s:.0f} s of audio")


def _shown(path: Path) -> str:
    """A path as it can be printed and published: whatever of it is not UTF-8 is replaced."""
    return os.fsencode(path).decode(errors="replace")


def _reason(error: Exception) -> str:
    """What is wrong, without the path, which is said already."""
    return str(error.strerror if isinstance(error, OSError) else getattr(error, "error_string", error))
