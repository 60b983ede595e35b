"""From the packets of one container to samples, with silence of the same length for what is missing between them."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from whoplays.models.recordings.headers import BEGINNING_BYTES
from whoplays.models.recordings.samples import to_float

_MIN_GAP_S: Final = 0.05
"""Timestamps that jump ahead by less are only inexact."""
_MAX_PAUSE_S: Final = 600.0
"""Timestamps that jump further ahead are wrong, and no pause of the recorder."""
_MAX_PACKET_S: Final = 10.0
"""A packet that states a longer duration is damaged in that as well."""
_NO_PAUSES: Final = frozenset({"flac", "ogg"})
"""Formats that number their samples: a jump ahead means that some are missing."""
_PAUSES: Final = frozenset({"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"})
"""Formats with timestamps that a recorder sets: a jump ahead is a pause. Those of others are FFmpeg's own guess."""
_FRAMES_ALONE: Final = frozenset({"aac", "ac3", "eac3", "dts"})
_SKIPPED_BYTES: Final = 4096
"""More than stands between the packets of a file with one stream, unless that is damaged."""
_TAGS: Final = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")
"""How what is no audio begins, between the frames of an MP3 or an AAC."""


class Samples(NamedTuple):
    """Consecutive samples of a recording."""

    frames: NDArray[np.float32]
    """`[n, channels]`, nominally in [-1, 1]."""
    rate_hz: int


class PartDecoder:
    """Decodes one container's audio to the end of its packets, past those that are damaged.

    Args:
        container: what is read.
        stream: its audio.
        lost_value: of the samples that stand for what is damaged: 0, or NaN to tell them from silence.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, lost_value: float = 0.0) -> None:
        self.heard_s = 0.0
        """How much came out."""
        self.lost_s = 0.0
        """How much of that is silence in place of what is damaged."""
        self.lost_at_s = 0.0
        """Where the first of it is."""
        self.undecodable = 0
        """How many packets could not be decoded."""
        self.end = BEGINNING_BYTES
        """Where the last packet ends, in bytes, or the beginning of the header if there was none."""
        self.broke_off: av.error.FFmpegError | None = None
        """Why no more packets can be read, if not because that is all."""
        self._lost_value: Final = lost_value
        self._container: Final = container
        self._stream: Final = stream
        self._format: Final = container.format.name
        self._alone: Final = len(container.streams) == 1
        self._kind = (0, 0)
        self._expected_s: float | None = None
        self._undecoded_s = 0.0
        self._decoded_bytes = 0
        self._skipped = False

    def decode(self) -> Iterator[Samples]:
        """All that can be decoded, in order."""
        for packet in self._packets():
            try:
                frames = self._stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                self._lose_packet(packet)
                continue
            self._decoded_bytes += packet.size if packet else 0
            for frame in frames:
                yield from self._take(frame)

    def unread_bytes(self, size: int | None) -> int:
        """How many of a file's bytes were skipped where nothing but frames should be."""
        skipped = (size or 0) - self.end if self._format in _FRAMES_ALONE else 0
        return skipped if skipped > _SKIPPED_BYTES else 0

    def _packets(self) -> Iterator["Packet[AudioStream] | None"]:
        """Every packet, then None, for which the decoder gives what it still holds."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    self._skipped |= self._alone and (packet.pos or 0) > self.end + _SKIPPED_BYTES
                    self.end = max(self.end, (packet.pos or 0) + packet.size)
                    yield packet
        except av.error.FFmpegError as error:
            self.broke_off = error
        yield None

    def _take(self, frame: AudioFrame) -> Iterator[Samples]:
        samples = to_float(frame)
        self._kind = (frame.sample_rate, samples.shape[1])
        yield from self._filled(self._undecoded_s, self._lost_value)
        self._undecoded_s, lost_before_s = 0.0, self.lost_s
        ahead_s = self._ahead_s(frame)
        yield from self._filled(ahead_s, self._lost_value if self.lost_s > lost_before_s else 0.0)
        self.heard_s += frame.samples / frame.sample_rate
        yield Samples(samples, frame.sample_rate)

    def _ahead_s(self, frame: AudioFrame) -> float:
        """How much is missing before a frame."""
        start_s, expected_s = frame.time, self._expected_s
        if start_s is None:
            start_s = expected_s or 0.0
        self._expected_s = start_s + frame.samples / frame.sample_rate
        ahead_s = 0.0 if expected_s is None else start_s - expected_s
        if not _MIN_GAP_S < ahead_s <= _MAX_PAUSE_S:
            return 0.0
        if self._format in _NO_PAUSES or self._skipped:
            self._lose(ahead_s)
            self._skipped = False
            return ahead_s
        return ahead_s if self._format in _PAUSES else 0.0

    def _lose_packet(self, packet: "Packet[AudioStream] | None") -> None:
        """Count a packet that cannot be decoded; silence takes its place if anything follows."""
        self.undecodable += 1
        if packet is None or self._expected_s is None or bytes(packet).startswith(_TAGS):
            return
        # Between whole frames of an MP3 or an AAC all that is damaged is one packet, whatever duration it states.
        by_size_s = packet.size * self.heard_s / self._decoded_bytes if self._decoded_bytes else 0.0
        stated_s = (packet.duration or 0) * float(packet.time_base or 0)
        duration_s = min(max(stated_s, by_size_s), _MAX_PACKET_S)
        self._lose(duration_s)
        self._undecoded_s += duration_s
        self._expected_s += duration_s

    def _lose(self, duration_s: float) -> None:
        if not self.lost_s:
            self.lost_at_s = self.heard_s
        self.lost_s += duration_s

    def _filled(self, duration_s: float, value: float) -> Iterator[Samples]:
        rate_hz, channels = self._kind
        left = round(duration_s * rate_hz)
        self.heard_s += duration_s if left else 0.0
        while left > 0:
            count = min(left, rate_hz)
            left -= count
            yield Samples(np.full((count, channels), value, np.float32), rate_hz)
