"""From one session's packets to blocks without a hole."""

import time
from collections.abc import Iterator
from typing import Final

import numpy as np

from models.signal import CHANNELS, SAMPLE_RATE_HZ
from stream.convert import Converter
from stream.intake import Intake
from stream.remote.packet import Header, Packet
from stream.ring import Audio
from stream.source import Block, Cause

PIECE_SAMPLES: Final = SAMPLE_RATE_HZ // 2
"""The longest block of zeros."""


class Timeline:
    """Places packets by the index of their first frame; what is missing between them becomes zeros of its length.

    Args:
        header: of the session's first packet; the others agree with it, and follow each other.
        intake: which channels are taken, and how loud.

    Raises:
        SourceError: a chosen channel is not there.
    """

    def __init__(self, header: Header, intake: Intake) -> None:
        self._rate_hz: Final = header.rate_hz
        self._channels: Final = header.channels
        self._intake: Final = intake
        self._origin: Final = header.first
        self._converter = Converter(self._rate_hz, self._channels, intake)
        self._made_samples = 0
        self._newest_ns = 0
        self.next = header.first
        """Index of the frame that comes next."""

    def hole_s(self, header: Header) -> float:
        """How much is missing before a packet; negative if it begins before what was there already."""
        return (header.first - self.next) / self._rate_hz

    def place(self, packet: Packet, arrived_ns: int) -> Iterator[Block]:
        """The packet's audio, and before it zeros for what is missing.

        Args:
            packet: one that does not begin before `next`.
            arrived_ns: on the monotonic clock.
        """
        header = packet.header
        frames_ns = header.frames * 1_000_000_000 // self._rate_hz
        if header.first > self.next:
            yield from self._lose(header.first, "network", arrived_ns - frames_ns)
        if header.lost:
            yield from self._lose(header.end, header.lost, arrived_ns)
            return
        audio = self._converter.convert(packet.audio)
        self.next = header.end
        yield from self._block(audio, arrived_ns - self._converter.pending_ns)

    def _lose(self, until: int, cause: Cause, lost_ns: int) -> Iterator[Block]:
        """Zeros up to a frame. The resampler begins anew behind them: it must not smear audio into them."""
        tail = self._converter.convert(np.zeros((0, self._channels), np.float32), last=True)
        self._converter = Converter(self._rate_hz, self._channels, self._intake)
        hole_ns = (until - self.next) * 1_000_000_000 // self._rate_hz
        self.next = until
        yield from self._block(tail, lost_ns - hole_ns)
        missing = (until - self._origin) * SAMPLE_RATE_HZ // self._rate_hz - self._made_samples
        while missing > 0:
            samples = min(missing, PIECE_SAMPLES)
            missing -= samples
            zeros = np.zeros((CHANNELS, samples), np.float32)
            yield from self._block(zeros, lost_ns - missing * 1_000_000_000 // SAMPLE_RATE_HZ, cause)

    def _block(self, audio: Audio, heard_ns: int, lost: Cause | None = None) -> Iterator[Block]:
        """One block, or none if it is empty; time never runs backwards, nor ahead."""
        self._newest_ns = min(max(self._newest_ns, heard_ns), time.monotonic_ns())
        self._made_samples += audio.shape[1]
        if audio.shape[1]:
            yield Block(audio, self._newest_ns, lost)
