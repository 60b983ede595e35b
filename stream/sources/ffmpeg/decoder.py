"""From packets to stereo at 44.1 kHz, with what is missing between them."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from whoplays.models.errors import SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.resample import Converter
from whoplays.stream.common.clock import GapCause
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.ffmpeg.demux import MediaSpec

MIN_GAP_S: Final = 0.05
"""Timestamps that jump by less are only inexact: some containers round them, some senders take them from a clock."""
MAX_GAP_S: Final = 10.0
"""A broadcast whose timestamps jump further ahead has begun anew."""
CHUNK_SAMPLES: Final = SAMPLE_RATE_HZ // 20


class Chunk(NamedTuple):
    """Consecutive samples, 50 ms or less."""

    audio: Audio
    """`[2, n]` float32 at 44 100 Hz."""
    lost: GapCause | None = None
    """Why these samples, all zero, stand for lost ones."""


class Decoder:
    """Decodes a stream's packets, in order.

    What a broadcast lost, because packets are damaged or timestamps jump ahead, is replaced by zeros marked as lost;
    where a file's timestamps jump ahead, nothing was recorded: that is silence. Timestamps that jump back mean that
    the sender counts anew (so does each title of an Ogg broadcast); the samples follow one another all the same.
    """

    def __init__(self, media: MediaSpec, stream: AudioStream) -> None:
        self._media: Final = media
        self._lost: Final[GapCause | None] = "network" if media.network else None
        self._time_base: Final = float(stream.time_base or 0)
        self._converter: Converter | None = None
        self._kind = (0, 0)
        self._end_s: float | None = None

    def decode(self, packet: "Packet[AudioStream]") -> Iterator[Chunk]:
        """What a packet brings.

        Raises:
            SourceError: a file is damaged; or it does not have the channels that were chosen.
            SessionOverError: a broadcast's timestamps jump far ahead.
        """
        try:
            frames = packet.decode()
        except av.error.InvalidDataError as error:
            yield from self._replace_damaged(packet, error)
            return
        for frame in frames:
            yield from self._convert(frame)

    def finish(self) -> Iterator[Chunk]:
        """What is still in the resampler."""
        if self._converter:
            yield from _cut(self._converter.convert(np.zeros((0, self._kind[1]), np.float32), last=True))
            self._converter = None

    def _replace_damaged(self, packet: "Packet[AudioStream]", error: av.error.InvalidDataError) -> Iterator[Chunk]:
        # Who joins a broadcast in the middle cannot decode its first packets: before any audio, nothing is lost.
        if self._end_s is None:
            return
        if not self._media.network:
            raise SourceError(f"{self._media.name} is damaged after {self._end_s:.1f} s; repair it") from error
        duration_s = (packet.duration or 0) * self._time_base
        self._end_s += duration_s
        yield from self._gap(duration_s)

    def _convert(self, frame: AudioFrame) -> Iterator[Chunk]:
        yield from self._gap(self._ahead_s(frame))
        samples = to_float(frame)
        if self._converter is None or self._kind != (frame.sample_rate, samples.shape[1]):
            yield from self.finish()
            self._kind = (frame.sample_rate, samples.shape[1])
            self._converter = Converter(*self._kind, self._media.selection)
        yield from _cut(self._converter.convert(samples))

    def _ahead_s(self, frame: AudioFrame) -> float:
        """How much is missing before a frame."""
        expected_s = self._end_s or 0.0
        start_s = expected_s if frame.time is None else frame.time
        ahead_s = 0.0 if self._end_s is None else start_s - expected_s
        if self._media.network and ahead_s > MAX_GAP_S:
            raise SessionOverError(f"{self._media.name} began anew: its time jumped ahead by {ahead_s:.0f} s")
        self._end_s = start_s + frame.samples / frame.sample_rate
        return ahead_s if ahead_s > MIN_GAP_S else 0.0

    def _gap(self, duration_s: float) -> Iterator[Chunk]:
        samples = round(duration_s * SAMPLE_RATE_HZ)
        if samples:
            # The resampler must not blur the edges.
            yield from self.finish()
            yield from silence(samples, self._lost)


def silence(samples: int, lost: GapCause | None) -> Iterator[Chunk]:
    """Zeros of any length, chunk by chunk."""
    for start in range(0, samples, CHUNK_SAMPLES):
        yield Chunk(np.zeros((2, min(CHUNK_SAMPLES, samples - start)), np.float32), lost)


def to_float(frame: AudioFrame) -> Audio:
    """A frame's samples: `[n, channels]` float32, nominally in [-1, 1], whatever they are made of."""
    values = frame.to_ndarray()
    interleaved = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
    if values.dtype.kind == "f":
        return interleaved.astype(np.float32)
    full_scale = 2.0 ** (8 * values.dtype.itemsize - 1)
    middle = full_scale if values.dtype.kind == "u" else 0.0
    return ((interleaved - middle) / full_scale).astype(np.float32)


def _cut(audio: Audio) -> Iterator[Chunk]:
    for start in range(0, audio.shape[1], CHUNK_SAMPLES):
        yield Chunk(audio[:, start : start + CHUNK_SAMPLES])
