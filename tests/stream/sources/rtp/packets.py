"""Packets to test with."""

import struct

import numpy as np

from whoplays.stream.audio.block import Audio

FRAMES = 256


def make_packet(
    sequence: int, timestamp: int, payload: bytes = bytes(4 * FRAMES), *, ssrc: int = 0xC0FFEE, payload_type: int = 10
) -> bytes:
    """A plain packet; what wraps is wrapped."""
    return struct.pack("!BBHII", 0x80, payload_type, sequence % 2**16, timestamp % 2**32, ssrc) + payload


def make_audio(frames: int, seed: int = 1) -> Audio:
    """`[frames, 2]`: noise that 16 bits hold exactly, and that is nowhere zero."""
    noise = np.random.default_rng(seed).integers(1, 2**15, (frames, 2))
    return (noise * np.float32(2**-15)).astype(np.float32)


def packetize(
    audio: Audio, *, sequence: int = 65_500, timestamp: int = 2**32 - 5_000, ssrc: int = 0xC0FFEE
) -> list[bytes]:
    """Stereo audio as L16, 256 frames a packet; both counters wrap unless they are told otherwise."""
    samples = np.round(audio * 2**15).astype(">i2")
    return [
        make_packet(sequence + at // FRAMES, timestamp + at, samples[at : at + FRAMES].tobytes(), ssrc=ssrc)
        for at in range(0, len(samples), FRAMES)
    ]
