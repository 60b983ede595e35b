"""From packets to stereo at 44.1 kHz, with what is missing between them."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from whoplays.models.recordings.samples import to_float
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.resample import VaryingConverter
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
    """Decodes a broadcast's packets, in order.

    What was lost, because packets are damaged or timestamps jump ahead, is replaced by zeros marked as lost. Timestamps
    that jump back mean that the sender counts anew (so does each title of an Ogg broadcast); the samples follow one
    another all the same.
    """

    def __init__(self, media: MediaSpec, stream: AudioStream) -> None:
        self._media: Final = media
        self._time_base: Final = float(stream.time_base or 0)
        self._converter: Final = VaryingConverter(media.selection)
        self._end_s: float | None = None

    def decode(self, packet: "Packet[AudioStream]") -> Iterator[Chunk]:
        """What a packet brings.

        Raises:
            SourceError: it does not have the channels that were chosen.
            SessionOverError: timestamps jump far ahead.
        """
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            yield from self._replace_damaged(packet)
            return
        for frame in frames:
            yield from self._convert(frame)

    def finish(self) -> Iterator[Chunk]:
        """What is still in the resampler."""
        for audio in self._converter.finish():
            yield from cut(audio)

    def _replace_damaged(self, packet: "Packet[AudioStream]") -> Iterator[Chunk]:
        # Who joins a broadcast in the middle cannot decode its first packets: before any audio, nothing is lost.
        if self._end_s is None:
            return
        duration_s = (packet.duration or 0) * self._time_base
        if duration_s > MAX_GAP_S:
            # What is damaged does not say for how long it is; the next timestamp does.
            return
        self._end_s += duration_s
        yield from self._gap(duration_s)

    def _convert(self, frame: AudioFrame) -> Iterator[Chunk]:
        yield from self._gap(self._ahead_s(frame))
        for audio in self._converter.convert(to_float(frame), frame.sample_rate):
            yield from cut(audio)

    def _ahead_s(self, frame: AudioFrame) -> float:
        """How much is missing before a frame."""
        expected_s = self._end_s or 0.0
        start_s = expected_s if frame.time is None else frame.time
        ahead_s = 0.0 if self._end_s is None else start_s - expected_s
        if ahead_s > MAX_GAP_S:
            raise SessionOverError(f"{self._media.name} began anew: its time jumped ahead by {ahead_s:.0f} s")
        self._end_s = start_s + frame.samples / frame.sample_rate
        return ahead_s if ahead_s > MIN_GAP_S else 0.0

    def _gap(self, duration_s: float) -> Iterator[Chunk]:
        samples = round(duration_s * SAMPLE_RATE_HZ)
        if samples:
            # The resampler must not blur the edges.
            yield from self.finish()
            yield from silence(samples, "network")


def silence(samples: int, lost: GapCause) -> Iterator[Chunk]:
    """Zeros of any length, chunk by chunk."""
    for start in range(0, samples, CHUNK_SAMPLES):
        yield Chunk(np.zeros((2, min(CHUNK_SAMPLES, samples - start)), np.float32), lost)


def cut(audio: Audio) -> Iterator[Chunk]:
    """Samples of any length, chunk by chunk."""
    for start in range(0, audio.shape[1], CHUNK_SAMPLES):
        yield Chunk(audio[:, start : start + CHUNK_SAMPLES])
