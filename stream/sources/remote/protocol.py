"""The messages of a sender: two frames, a header in JSON and interleaved PCM."""

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
FRAMES: Final = 2
"""Of a message."""
MAX_FRAME_BYTES: Final = 1 << 20
"""Of one frame of a message; larger ones are never received."""
MAX_HEADER_BYTES: Final = 4096
MAX_PACKET_S: Final = 10.0
MAX_SAMPLE: Final = 1000.0
"""60 dB above full scale: no gain makes numbers beyond that of audio."""

WireFormat = Literal["s16le", "s24le", "f32le"]
Count = Annotated[int, Meta(ge=0, le=2**62)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]


class PacketError(Exception):
    """A message that cannot be parsed; never leaves this package."""


class PacketHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a message. Unknown fields are ignored."""

    version: Literal[1] = VERSION
    kind: Literal["pcm", "end"] = "pcm"
    """`end` is sent, without PCM, when the sender leaves on purpose."""
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
    """What people call the sender's source."""
    lost: GapCause | None = None
    """Why these frames were lost before they could be sent: then there is no PCM, and they stand for zeros."""

    def __post_init__(self) -> None:
        # Both are shown to people, in logs and on terminals.
        if not (self.session.isprintable() and self.name.isprintable()):
            raise ValueError("session and name must be printable")

    @property
    def end(self) -> int:
        """Index after the last frame."""
        return self.first + self.frames

    @property
    def pcm(self) -> PcmFormat:
        """The format of the PCM."""
        return PcmFormat(encoding=self.format, rate_hz=self.rate_hz, channels=self.channels)


class PcmPacket(NamedTuple):
    """A message that was unpacked."""

    header: PacketHeader
    audio: Audio
    """`[frames, channels]` float32, finite; nothing if the frames were lost."""


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(PacketHeader)


def pack(header: PacketHeader, pcm: bytes) -> list[bytes]:
    """The frames of a message."""
    return [_encoder.encode(header), pcm]


def unpack(frames: Sequence[bytes]) -> PcmPacket:
    """Unpack a message that anybody may have sent.

    Raises:
        PacketError: it cannot be parsed, is of another version, or holds samples that are not audio.
    """
    if len(frames) != FRAMES:
        or_more = " or more" if len(frames) > FRAMES else ""
        raise PacketError(f"a message must have {FRAMES} frames, got {len(frames)}{or_more}")
    header = _decode_header(frames[0])
    _check_size(header, len(frames[1]))
    audio = decode(frames[1], header.format, header.channels)
    # Also false for NaN.
    if not (np.abs(audio) <= MAX_SAMPLE).all():
        raise PacketError(f"samples must be finite and at most {MAX_SAMPLE:g} times full scale")
    return PcmPacket(header, audio)


def sort_sessions(packets: Iterable[PcmPacket]) -> list[PcmPacket]:
    """Packets that arrived together, each session's in the order of its sequence numbers.

    ZeroMQ reads what is left of a sender's broken connection and what its next one brings by turns.
    """
    sessions: dict[str, list[PcmPacket]] = {}
    for packet in packets:
        sessions.setdefault(packet.header.session, []).append(packet)
    return [packet for each in sessions.values() for packet in sorted(each, key=lambda packet: packet.header.seq)]


def _decode_header(data: bytes) -> PacketHeader:
    if len(data) > MAX_HEADER_BYTES:
        raise PacketError(f"a header must have at most {MAX_HEADER_BYTES} bytes, got {len(data)}")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PacketError(f"not a valid header: {error}") from error


def _check_size(header: PacketHeader, size: int) -> None:
    if header.frames > MAX_PACKET_S * header.rate_hz:
        raise PacketError(f"a message must hold at most {MAX_PACKET_S:g} s, got {header.frames / header.rate_hz:g}")
    without_pcm = header.kind == "end" or header.lost is not None
    expected = 0 if without_pcm else header.frames * header.pcm.frame_bytes
    if size != expected:
        raise PacketError(f"PCM must have {expected} bytes, got {size}")
