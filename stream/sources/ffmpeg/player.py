"""The thread that hands decoded audio out in real time."""

import math
import threading
import time
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from queue import Queue
from typing import Any, Final, Self

import av
import msgspec
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from whoplays.models.errors import SourceError
from whoplays.models.recordings.recording import Recording
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import VaryingConverter
from whoplays.stream.sources.base import RecordingError
from whoplays.stream.sources.ffmpeg.decoder import Chunk, Decoder, cut, silence
from whoplays.stream.sources.ffmpeg.demux import (
    CLOSED,
    MediaSpec,
    first_audio,
    has_end,
    open_container,
    open_data,
    read_error,
)
from whoplays.stream.sources.ffmpeg.http_bytes import HttpBytes
from whoplays.stream.sources.ffmpeg.ogg import ogg_packets
from whoplays.stream.sources.ffmpeg.proxy import EgressProxy
from whoplays.stream.sources.file import PIECE_S, gather
from whoplays.stream.sources.worker import Send

SURVEY_SAMPLES: Final = 10 * SAMPLE_RATE_HZ
MAX_LATE_NS: Final = 250_000_000
CUSHION_NS: Final = 1_000_000_000
CATCH_UP_NS: Final = 2_000_000
"""In each survey of 10 s: 200 ppm, more than the clocks of sound cards differ."""
GROWTH_NS: Final = 1_000_000
"""By how much chunks have to come earlier than ever before, for the sender's clock to be faster."""
SETTLED_SURVEYS: Final = 6
"""In how many surveys the burst at the beginning, and what is read ahead of a recording, has come."""


class Schedule:
    """Plays a broadcast as any player does: from its first sample on, in real time; what comes early waits.

    Servers send several seconds at once to whoever connects (Icecast's burst, HLS's segments). They are played when
    they are due, so nothing comes before its time, nor more at once than can be processed; the burst becomes the
    cushion that outlasts a stall. After a stall what is overdue is played at once, with the time it was due.

    Every 10 s of samples their least lateness since the survey before tells three cases apart:

    - All were late, by much: the samples that should have come in between never will. They are missing.
    - All were late, by little: the sender's clock is slower than ours. The schedule follows it.
    - All waited for more than 1 s, and longer than after the burst at the beginning: the sender's clock is faster than
      ours. The schedule goes a little faster, or the lag would grow for days.

    So the sample index stays true to the time, and the lag is bounded by the burst.
    """

    def __init__(self) -> None:
        self._start_ns: int | None = None
        self._samples = 0
        self._least_late_ns: int | None = None
        self._survey_at = SURVEY_SAMPLES
        self._surveys = 0
        self._cushion_ns = CUSHION_NS

    def due_ns(self, samples: int, arrived_ns: int | None) -> int:
        """When the last one of the next samples is due.

        Args:
            samples: how many.
            arrived_ns: when they arrived; None if they stand for lost ones.
        """
        if self._start_ns is None:
            self._start_ns = (arrived_ns or 0) - _duration_ns(samples)
        self._samples += samples
        due_ns = self._start_ns + _duration_ns(self._samples)
        if arrived_ns is not None:
            late_ns = arrived_ns - due_ns
            self._least_late_ns = late_ns if self._least_late_ns is None else min(self._least_late_ns, late_ns)
        return due_ns

    def missing(self) -> int:
        """How many samples never came before the next ones: zeros have to stand for them."""
        if self._samples < self._survey_at or self._least_late_ns is None or self._start_ns is None:
            return 0
        late_ns, self._least_late_ns = self._least_late_ns, None
        self._survey_at = self._samples + SURVEY_SAMPLES
        if late_ns > MAX_LATE_NS:
            return late_ns * SAMPLE_RATE_HZ // 1_000_000_000
        if late_ns > 0:
            self._start_ns += late_ns
        elif self._surveys < SETTLED_SURVEYS:
            self._cushion_ns = max(self._cushion_ns, -late_ns)
        elif -late_ns > self._cushion_ns + GROWTH_NS:
            self._start_ns -= CATCH_UP_NS
        self._surveys += 1
        return 0


def _duration_ns(samples: int) -> int:
    return samples * 1_000_000_000 // SAMPLE_RATE_HZ


MISSING_S: Final = 0.3
"""More than encoders and playlists round the length of segments by."""
_PLAYLISTS: Final = frozenset({"hls", "dash"})
MAX_CHUNKS: Final = 400
"""About 10 s of most codecs, 20 s of any: whoever is further ahead has to wait."""


class Player:
    """Sends chunks when they are due, from `__enter__` to `__exit__`, which waits until the last one is sent."""

    def __init__(self, send: Send) -> None:
        self._send: Final = send
        self.samples = 0
        """How many were put."""
        self._schedule: Final = Schedule()
        self._chunks: Final = Queue[tuple[Chunk, int] | None](MAX_CHUNKS)
        self._thread: Final = threading.Thread(target=self._play, name="whoplays-player")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._chunks.put(None)
        self._thread.join()

    def put(self, chunk: Chunk, arrived_ns: int) -> None:
        """Queue a chunk behind those before it; waits while the queue is full."""
        self.samples += chunk.audio.shape[1]
        self._chunks.put((chunk, arrived_ns))

    def _play(self) -> None:
        while (item := self._chunks.get()) is not None:
            chunk, arrived_ns = item
            for zeros in silence(self._schedule.missing(), "network"):
                self._play_chunk(zeros, None)
            self._play_chunk(chunk, None if chunk.lost else arrived_ns)

    def _play_chunk(self, chunk: Chunk, arrived_ns: int | None) -> None:
        due_ns = self._schedule.due_ns(chunk.audio.shape[1], arrived_ns)
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        self._send(Block(chunk.audio, due_ns, chunk.lost))


def play(send: Send, media: dict[str, Any]) -> str:
    """Play media in real time; returns when it ends on purpose, with what is noteworthy about it.

    Nothing here ends a read that blocks for ever: the parent ends the process.

    Args:
        send: where its audio goes.
        media: a `MediaSpec`, as JSON carries it.

    Raises:
        SourceError: they cannot be opened, or are lost.
        RecordingError: they are a recording that is not whole.
        SessionOverError: the sender began anew.
    """
    spec = msgspec.convert(media, MediaSpec)
    with EgressProxy(spec.url) as proxy, Player(send) as player:
        with open_container(spec, proxy) as container:
            url, of_playlist = container.name, container.format.name in _PLAYLISTS
            is_recording = url.startswith(("http://", "https://")) and container.size > 0 and not of_playlist
            if not is_recording:
                _play_broadcast(spec, container, proxy, player)
                return ""
        return _play_recording(spec, url, proxy, player)


def _play_broadcast(spec: MediaSpec, container: InputContainer, proxy: EgressProxy, player: Player) -> None:
    """Play what goes on until it is lost, or what a playlist says that it ends."""
    ends, stated_s = has_end(container), (container.duration or 0) / 1_000_000
    of_playlist = container.format.name in _PLAYLISTS
    try:
        _decode(spec, _packets(container, proxy), player)
    except av.error.FFmpegError as error:
        raise read_error(spec, proxy, error) from error
    if not ends:
        raise SourceError(f"{spec.name} broke off: {CLOSED}")
    heard_s = player.samples / SAMPLE_RATE_HZ
    if of_playlist and heard_s < stated_s - MISSING_S:
        raise RecordingError(
            f"{spec.name} ends after {heard_s:.1f} s of {stated_s:.1f} s; segments are missing or damaged"
        )


def _play_recording(spec: MediaSpec, url: str, proxy: EgressProxy, player: Player) -> str:
    """Play a file that a server has, decoded as one that is here; returns a note if its header states less."""
    converter = VaryingConverter(spec.selection)
    with HttpBytes(url, proxy) as source:
        recording = Recording(source, spec.name, math.nan)
        try:
            for samples in gather(recording.read(), PIECE_S):
                _put(converter.convert(*samples), player)
        except SourceError as error:
            _put(converter.finish(), player)
            if source.problem:
                raise SourceError(f"{spec.name} broke off: {source.problem}") from error
            raise RecordingError(str(error)) from error
    _put(converter.finish(), player)
    return recording.note


def _put(pieces: Iterator[Audio], player: Player) -> None:
    for audio in pieces:
        for chunk in cut(audio):
            player.put(chunk, time.monotonic_ns())


def _packets(container: InputContainer, proxy: EgressProxy) -> Iterator[tuple[AudioStream, "Packet[AudioStream]"]]:
    if container.format.name == "ogg":
        url = container.name
        # Not twice at a time: a server may count its listeners.
        container.close()
        with open_data(url, proxy) as data:
            yield from ogg_packets(data)
        return
    stream = first_audio(container)
    for packet in container.demux(stream):
        yield stream, packet


def _decode(media: MediaSpec, packets: Iterator[tuple[AudioStream, "Packet[AudioStream]"]], player: Player) -> None:
    for stream, of_one_stream in groupby(packets, itemgetter(0)):
        decoder = Decoder(media, stream)
        for _, packet in of_one_stream:
            arrived_ns = time.monotonic_ns()
            for chunk in decoder.decode(packet):
                player.put(chunk, arrived_ns)
        for chunk in decoder.finish():
            player.put(chunk, time.monotonic_ns())
