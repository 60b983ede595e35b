"""Messages to test with."""

from collections.abc import Iterable

import numpy as np

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.pcm import WIDTH_BYTES, encode
from whoplays.stream.common.clock import GapCause
from whoplays.stream.sources.remote.protocol import Header, Packet, WireFormat, pack


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
) -> Header:
    return Header(
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


def make_packet(header: Header, audio: Audio | None = None) -> Packet:
    """A packet of given audio, or of a constant that no zero is mistaken for."""
    if header.lost:
        return Packet(header, np.zeros((0, header.channels), np.float32))
    return Packet(header, np.full((header.frames, header.channels), 0.5, np.float32) if audio is None else audio)


def make_message(header: Header, audio: Audio | None = None) -> list[bytes]:
    packet = make_packet(header, audio)
    return pack(header, encode(packet.audio, header.format))


def frame_bytes(header: Header) -> int:
    return WIDTH_BYTES[header.format] * header.channels


def make_noise(samples: int, bits: int, seed: int = 1) -> Audio:
    """`[2, samples]`, each a whole multiple of 2**-bits, both extremes among them."""
    rng = np.random.default_rng(seed)
    whole = rng.integers(-(2**bits), 2**bits, (2, samples))
    whole[:, 0], whole[:, 1] = -(2**bits), 2**bits - 1
    noise: Audio = (whole / 2**bits).astype(np.float32)
    return noise


def joined(blocks: Iterable[Block]) -> Audio:
    return np.concatenate([block.audio for block in blocks], axis=1)


def lost_samples(blocks: Iterable[Block]) -> int:
    return sum(block.audio.shape[1] for block in blocks if block.lost)
