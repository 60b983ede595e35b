"""What a sender's messages are: two frames, a header in JSON and interleaved PCM."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.pcm import PcmFormat, decode
from whoplays.stream.audio.resample import MOST_CHANNELS, RATES_HZ
from whoplays.stream.common.clock import GapCause

VERSION: Final = 1
MOST_BYTES: Final = 1 << 20
"""Of one frame of a message; larger ones are never received."""
MOST_HEADER_BYTES: Final = 4096
LONGEST_S: Final = 10.0
LOUDEST: Final = 1000.0
"""60 dB above full scale: no gain makes numbers beyond that of audio."""

WireFormat = Literal["s16le", "s24le", "f32le"]
Count = Annotated[int, Meta(ge=0, le=2**62)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]


class PacketError(Exception):
    """A message that is none; it never leaves this package."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a message says of its PCM. Unknown fields are ignored."""

    version: Literal[1] = VERSION
    kind: Literal["pcm", "end"] = "pcm"
    """At the end, on purpose, a message without PCM."""
    session: Name
    """New whenever the sender's count of samples begins anew."""
    seq: Count
    """Counts the messages of the session."""
    first: Count
    """Index of the first frame in the session."""
    frames: Count
    """Samples of each channel."""
    rate_hz: Annotated[int, Meta(ge=RATES_HZ[0], le=RATES_HZ[-1])]
    channels: Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]
    format: WireFormat
    capture_ns: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """Wall time of the last frame by the sender's clock. Only informative: clocks of two machines differ."""
    name: Name
    """What the sender calls its source."""
    lost: GapCause | None = None
    """Why these frames were lost before they could be sent: then there is no PCM, and they stand for zeros."""

    def __post_init__(self) -> None:
        # Both are shown to people, in logs and on terminals.
        if not (self.session.isprintable() and self.name.isprintable()):
            raise ValueError("a name holds what cannot be printed")

    @property
    def end(self) -> int:
        """Index after the last frame."""
        return self.first + self.frames

    @property
    def pcm(self) -> PcmFormat:
        """How the PCM is to be read."""
        return PcmFormat(encoding=self.format, rate_hz=self.rate_hz, channels=self.channels)


class Packet(NamedTuple):
    """A message that was taken apart."""

    header: Header
    audio: Audio
    """`[frames, channels]` float32, finite; nothing if the frames were lost."""


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Header)


def pack(header: Header, pcm: bytes) -> list[bytes]:
    """The frames of a message."""
    return [_encoder.encode(header), pcm]


def unpack(frames: Sequence[bytes]) -> Packet:
    """Take a message apart that anybody may have sent.

    Raises:
        PacketError: it is none, of another version, or holds what is no audio.
    """
    if len(frames) != 2:
        raise PacketError(f"a message of {len(frames)} frames")
    header = _read(frames[0])
    _check_size(header, len(frames[1]))
    audio = decode(frames[1], header.format, header.channels)
    # Also false for NaN.
    if not (np.abs(audio) <= LOUDEST).all():
        raise PacketError("a sample that is no number, or far beyond full scale")
    return Packet(header, audio)


def in_order(packets: Iterable[Packet]) -> list[Packet]:
    """Packets that came together, each session's in its order.

    What a sender's broken connection had brought and what its next one brings are read by turns.
    """
    sessions: dict[str, list[Packet]] = {}
    for packet in packets:
        sessions.setdefault(packet.header.session, []).append(packet)
    return [packet for each in sessions.values() for packet in sorted(each, key=lambda packet: packet.header.seq)]


def _read(data: bytes) -> Header:
    if len(data) > MOST_HEADER_BYTES:
        raise PacketError(f"a header of {len(data)} bytes")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PacketError(f"a header that is none: {error}") from error


def _check_size(header: Header, size: int) -> None:
    if header.frames > LONGEST_S * header.rate_hz:
        raise PacketError(f"{header.frames} frames in one message")
    silent = header.kind == "end" or header.lost is not None
    expected = 0 if silent else header.frames * header.pcm.frame_bytes
    if size != expected:
        raise PacketError(f"{size} bytes of PCM where {expected} belong")
