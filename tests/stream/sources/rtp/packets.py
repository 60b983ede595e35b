"""RTP packets to test with, and a network that loses, repeats and reorders them."""

import heapq
import random
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from whoplays.stream.audio.block import Audio

FRAMES: Final = 256


def make_packet(
    sequence: int, timestamp: int, payload: bytes = bytes(4 * FRAMES), *, ssrc: int = 0xC0FFEE, payload_type: int = 10
) -> bytes:
    """A plain packet; its counters wrap."""
    return struct.pack("!BBHII", 0x80, payload_type, sequence % 2**16, timestamp % 2**32, ssrc) + payload


def make_audio(frames: int, seed: int = 1) -> Audio:
    """`[frames, 2]`: noise that 16 bits hold exactly, and that is nowhere zero."""
    noise = np.random.default_rng(seed).integers(1, 2**15, (frames, 2))
    return (noise * np.float32(2**-15)).astype(np.float32)


def packetize(
    audio: Audio, *, sequence: int = 65_500, timestamp: int = 2**32 - 5_000, ssrc: int = 0xC0FFEE
) -> list[bytes]:
    """Stereo audio as L16, 256 frames a packet; both counters wrap unless others are given."""
    samples = np.round(audio * 2**15).astype(">i2")
    return [
        make_packet(sequence + at // FRAMES, timestamp + at, samples[at : at + FRAMES].tobytes(), ssrc=ssrc)
        for at in range(0, len(samples), FRAMES)
    ]


class Impairment(NamedTuple):
    """What a network does to packets: shares from 0 to 1, as `tc netem` has them."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.0
    """Of packets that arrive after up to `max_delay` later ones."""
    max_delay: int = 5


def impaired(packets: Iterable[bytes], impairment: Impairment, seed: int) -> Iterator[bytes]:
    """The packets as they come out of the network, always in the same way for the same seed."""
    chance = random.Random(seed)
    in_flight: list[tuple[float, int, bytes]] = []
    for at, packet in enumerate(packets):
        copies = (chance.random() >= impairment.loss) * (1 + (chance.random() < impairment.duplication))
        for _ in range(copies):
            delay = chance.uniform(0, impairment.max_delay) if chance.random() < impairment.delay else 0
            heapq.heappush(in_flight, (at + delay, at, packet))
        while in_flight and in_flight[0][0] <= at:
            yield heapq.heappop(in_flight)[2]
    while in_flight:
        yield heapq.heappop(in_flight)[2]


def send(packets: Iterable[bytes], port: int, *, every_s: float = 0.0, host: str = "127.0.0.1") -> None:
    """Send datagrams to a port of this machine, so many seconds apart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sending:
        for packet in packets:
            sending.sendto(packet, (host, port))
            time.sleep(every_s)
