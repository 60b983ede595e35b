"""From a source's blocks to packets to send."""

import secrets
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np

from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block, Cause
from whoplays.stream.audio.pcm import encode
from whoplays.stream.common.clock import wall_ns
from whoplays.stream.sources.remote.protocol import Header, WireFormat, pack

PACKET_SAMPLES: Final = SAMPLE_RATE_HZ // 20
"""50 ms."""
LONGEST_NAME: Final = 100


class Outgoing(NamedTuple):
    """A message to send."""

    frames: list[bytes]
    samples: int
    """How much audio it holds."""


class Packer:
    """Cuts one session's blocks into packets of 50 ms.

    Args:
        name: what people call the source.
        encoding: of the PCM.
    """

    def __init__(self, name: str, encoding: WireFormat) -> None:
        printable = "".join(character for character in name if character.isprintable())
        self._name: Final = printable[:LONGEST_NAME] or "unnamed"
        self._encoding: Final = encoding
        self._session: Final = secrets.token_hex(8)
        self._seq = 0
        self._packed_samples = 0
        self._rest: Audio = np.zeros((CHANNELS, 0), np.float32)
        self._heard_ns = 0

    def pack(self, block: Block) -> Iterator[Outgoing]:
        """The packets that a block completes; what was lost already at the source travels as lost."""
        if block.lost:
            yield from self.flush()
        self._rest = np.concatenate([self._rest, block.audio], axis=1)
        self._heard_ns = block.heard_ns
        while self._rest.shape[1] >= PACKET_SAMPLES:
            yield self._cut(PACKET_SAMPLES, block)
        if block.lost:
            yield from self.flush(block)

    def flush(self, block: Block | None = None) -> Iterator[Outgoing]:
        """The packet of what is left, if anything is."""
        if self._rest.shape[1]:
            yield self._cut(self._rest.shape[1], block)

    def end(self) -> Outgoing:
        """The message that says that this is the end."""
        return Outgoing(pack(self._header(0, kind="end"), b""), 0)

    def _cut(self, samples: int, block: Block | None) -> Outgoing:
        audio, self._rest = self._rest[:, :samples], self._rest[:, samples:]
        lost = block.lost if block else None
        frames = pack(self._header(samples, lost=lost), b"" if lost else encode(audio.T, self._encoding))
        self._packed_samples += samples
        return Outgoing(frames, samples)

    def _header(self, samples: int, kind: Literal["pcm", "end"] = "pcm", lost: Cause | None = None) -> Header:
        after_ns = self._rest.shape[1] * 1_000_000_000 // SAMPLE_RATE_HZ
        self._seq += 1
        return Header(
            kind=kind,
            session=self._session,
            seq=self._seq - 1,
            first=self._packed_samples,
            frames=samples,
            rate_hz=SAMPLE_RATE_HZ,
            channels=CHANNELS,
            format=self._encoding,
            capture_ns=max(0, wall_ns(self._heard_ns - after_ns)),
            name=self._name,
            lost=lost,
        )
