"""Messages to test with, and a source that they are sent to."""

import time
from typing import Final

import numpy as np

from tests.stream.sources.recorder import Recorder, wait_until
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.pcm import encode
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.clock import GapCause
from whoplays.stream.sources.remote.protocol import PacketHeader, PcmPacket, WireFormat, pack
from whoplays.stream.sources.remote.sender import PackedMessage, Packetizer
from whoplays.stream.sources.remote.source import RemoteSource, open_remote

ANY_PORT: Final = "zmq://127.0.0.1:0"


def make_header(
    first: int = 0,
    frames: int = 2205,
    *,
    seq: int = 0,
    session: str = "one",
    rate_hz: int = SAMPLE_RATE_HZ,
    channels: int = 2,
    encoding: WireFormat = "s16le",
    lost: GapCause | None = None,
) -> PacketHeader:
    return PacketHeader(
        session=session,
        seq=seq,
        first=first,
        frames=frames,
        rate_hz=rate_hz,
        channels=channels,
        format=encoding,
        capture_ns=1,
        name="stage",
        lost=lost,
    )


def make_packet(header: PacketHeader, audio: Audio | None = None) -> PcmPacket:
    """A packet of given audio, or of a constant that is not zero."""
    if header.lost:
        return PcmPacket(header, np.zeros((0, header.channels), np.float32))
    return PcmPacket(header, np.full((header.frames, header.channels), 0.5, np.float32) if audio is None else audio)


def make_message(header: PacketHeader, audio: Audio | None = None) -> list[bytes]:
    packet = make_packet(header, audio)
    return pack(header, encode(packet.audio, header.format))


def make_noise(samples: int, bits: int, seed: int = 1) -> Audio:
    """`[2, samples]`, each a whole multiple of 2**-bits, both extremes among them."""
    rng = np.random.default_rng(seed)
    whole = rng.integers(-(2**bits), 2**bits, (2, samples))
    whole[:, 0], whole[:, 1] = -(2**bits), 2**bits - 1
    noise: Audio = (whole / 2**bits).astype(np.float32)
    return noise


def cut(packetizer: Packetizer, audio: Audio) -> list[PackedMessage]:
    """The messages of audio, `[2, samples]`; the last one may be shorter."""
    return [*packetizer.pack(Block(audio, time.monotonic_ns())), *packetizer.flush()]


def recording(uri: str = ANY_PORT) -> Recorder[RemoteSource]:
    return Recorder(open_remote(uri.replace("tcp", "zmq"), ChannelSelection()))


def endpoint_of(recorder: Recorder[RemoteSource]) -> str:
    """The address, once it is bound."""
    wait_until(lambda: not recorder.source.endpoint.endswith("*"))
    return recorder.source.endpoint
