"""A recording as a source."""

import math
import os
import re
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np

from whoplays.models.errors import SourceError
from whoplays.models.recordings.decoder import Samples
from whoplays.models.recordings.recording import Recording, open_recording
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import WHOLE, ChannelSelection, VaryingConverter
from whoplays.stream.common.clock import ClockKind, GapCause
from whoplays.stream.sources.base import Speed
from whoplays.stream.sources.worker import ChildSource, Send

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


PIECE_S: Final = 0.1
RAW_SUFFIXES: Final = frozenset({".raw", ".pcm"})
"""Of files that hold samples and nothing else: FFmpeg would take some for an MP3."""


class FileSource:
    """A recording in any container and codec that FFmpeg reads, of any rate and channel count, to its last sample.

    In real time it plays as if it were live, and does not wait for a listener that is too slow; at `max` speed it
    waits, and nothing is lost. What its header states of its length is no limit; see `Recording`.

    Raises:
        SourceError: it is missing, empty, no audio, or shorter than a window.
    """

    def __init__(self, path: Path, speed: Speed = "realtime", selection: ChannelSelection = WHOLE) -> None:
        self.name = _shown(Path(path.name))
        self.uri = path.absolute().as_uri()
        self.clock: ClockKind = "file"
        self.disconnect_cause: GapCause = "device_lost"
        self.live = speed == "realtime"
        self._stopped = threading.Event()
        self._path = path
        self._selection = selection
        self._recording: Recording | None = None
        _refuse_other(path)
        self._refuse_short()

    @property
    def warning(self) -> str:
        """That more is there than its header states; see `Source`."""
        return self._recording.note if self._recording else ""

    def blocks(self) -> Iterator[Block]:
        """The recording from first to last sample; see `Source`."""
        if self.live:
            return in_real_time(self._pieces(PIECE_S), self._stopped)
        return (Block(piece, time.monotonic_ns()) for piece in self._pieces(1.0))

    def stop(self) -> None:
        """Make `blocks` end soon; see `Source`."""
        self._stopped.set()

    def _pieces(self, seconds: float) -> Iterator[Audio]:
        converter = VaryingConverter(self._selection)
        try:
            for samples in gather(self._read(), seconds):
                yield from converter.convert(*samples)
                if self._stopped.is_set():
                    return
        except SourceError:
            yield from converter.finish()
            raise
        yield from converter.finish()

    def _read(self) -> Iterator[Samples]:
        with open_recording(self._path, _shown(self._path), math.nan) as self._recording:
            yield from self._recording.read()

    def _refuse_short(self) -> None:
        window_s, heard_s = WINDOW_SAMPLES / SAMPLE_RATE_HZ, 0.0
        for samples in self._read():
            heard_s += len(samples.frames) / samples.rate_hz
            if heard_s >= window_s:
                return
        if not heard_s:
            raise SourceError(f"{_shown(self._path)} holds no samples; give a recording of {window_s:.0f} s or more")
        raise SourceError(f"{_shown(self._path)} lasts {heard_s:.2f} s; a window needs {window_s:.0f} s of audio")


def gather(samples: Iterable[Samples], seconds: float) -> Iterator[Samples]:
    """Put shorter pieces together to such of so many seconds or more, but for the last one of each kind."""
    pieces: list[Audio] = []
    kind, gathered = (0, 0), 0
    failure: SourceError | None = None
    try:
        for frames, rate_hz in samples:
            if pieces and (kind != (rate_hz, frames.shape[1]) or gathered >= seconds * rate_hz):
                yield Samples(np.concatenate(pieces), kind[0])
                pieces, gathered = [], 0
            kind = (rate_hz, frames.shape[1])
            pieces.append(frames)
            gathered += len(frames)
    except SourceError as error:
        failure = error
    if pieces:
        yield Samples(np.concatenate(pieces), kind[0])
    if failure:
        raise failure


def play_in_child(send: Send, path: str, speed: Speed, selection: dict[str, Any]) -> None:
    """Play a file in a child process: send its blocks.

    Raises:
        SourceError: see `FileSource`.
    """
    for block in FileSource(Path(path), speed, msgspec.convert(selection, ChannelSelection)).blocks():
        send(block)


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


def open_media(uri: str, selection: ChannelSelection, speed: Speed = "realtime") -> ChildSource:
    """Open `media:` and a file's path: a recording from where it is not trusted, decoded in a child process.

    Raises:
        SourceError: there is no such file.
    """
    place = uri.partition(":")[2]
    if "://" in place:
        raise SourceError("media: must be followed by a file's path; give an address without media: before it")
    shown = place.encode(errors="replace").decode()
    if shown != place:
        raise SourceError(f"media: must be followed by a path in UTF-8, got {shown}; rename the file")
    path = Path(place).absolute()
    _refuse_other(path)
    return ChildSource(
        "whoplays.stream.sources.file:play_in_child",
        {"path": str(path), "speed": speed, "selection": msgspec.to_builtins(selection)},
        name=path.name,
        uri=f"media:{path}",
        clock="file",
        disconnect_cause="device_lost",
        live=speed == "realtime",
    )


def _refuse_other(path: Path) -> None:
    """Refuse what is not a file: opening a pipe could wait for ever."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise SourceError(f"file {_shown(path)} not found") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{_shown(path)} cannot be read: {getattr(error, 'strerror', error)}") from error
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{_shown(path)} is a folder; give one audio file")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{_shown(path)} is not a file; pipe it into whoplays listen -")
    if path.suffix.lower() in RAW_SUFFIXES:
        raise SourceError(
            f"{_shown(path)} is raw PCM by its name, which does not tell its rate; say it: "
            "whoplays listen - --format s16le --rate 44100 --channels 2 < FILE"
        )
    if not status.st_size:
        raise SourceError(f"{_shown(path)} is empty; give a WAV, FLAC, Ogg, MP3 or other recording")


def _shown(path: Path) -> str:
    """A path as it can be printed and published: whatever of it is not UTF-8 is replaced.

    What could be a user and a password, in an address that lacks its scheme, is not shown.
    """
    return re.sub(r"[^/\s:@]*:[^\s@]*@", "…@", os.fsencode(path).decode(errors="replace"))
