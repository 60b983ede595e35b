"""Senders of noise that keep a fixed schedule, whether the receiver keeps up or not (an open loop).

Samples leave in blocks of 10 ms, each when its last sample is due.
"""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np

from whoplays.bench.conditions import SEED
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ

PACKET_S: Final = 0.01
PACKETS_MS: Final = (1.0, 50.0)
BLOCK_SAMPLES: Final = round(PACKET_S * SAMPLE_RATE_HZ)
FRAME_BYTES: Final = 2 * CHANNELS
HOST: Final = "127.0.0.1"
PAYLOAD_TYPE: Final = 10
"""16-bit stereo at 44 100 Hz (RFC 3551)."""
NEVER_WITHHELD: Final = 4
"""The first packets are always sent, so that a session begins with the first sample."""
_NOISE_BLOCKS: Final = 300
_NOISE_LEVEL: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When the samples of a number of windows are due.

    A window that closes within a block is complete with the rest of the block, as from any source that sends packets.
    """

    start_ns: int
    """Monotonic time at which the first sample begins."""
    window_samples: int
    hop_samples: int
    windows: int
    """One or more."""
    block_samples: int = BLOCK_SAMPLES

    @property
    def samples(self) -> int:
        """As many as the windows need."""
        return self.window_ends[-1]

    @property
    def window_ends(self) -> range:
        """For each window the index after its last sample."""
        first = self.window_samples
        return range(first, first + self.windows * self.hop_samples, self.hop_samples)

    @property
    def block_ends(self) -> list[int]:
        """For each block the index after its last sample; the last block ends with the last window."""
        return [min(start + self.block_samples, self.samples) for start in range(0, self.samples, self.block_samples)]

    @property
    def last_due_ns(self) -> int:
        """Monotonic time at which the last sample is due."""
        return self.due_ns(self.samples)

    def due_ns(self, index: int) -> int:
        """Monotonic time at which the sample before `index` is due."""
        return self.start_ns + index * 1_000_000_000 // SAMPLE_RATE_HZ


def block_of(index: int, block_samples: int = BLOCK_SAMPLES) -> int:
    """The number of the block that holds the sample before `index`."""
    return (index - 1) // block_samples


def send_pcm(schedule: Schedule, descriptor: int, cutoff_ns: int) -> list[int]:
    """Write noise as s16le PCM to a pipe, block by block as it is due.

    A full pipe delays the writing, but never the schedule: what is overdue is written as soon as it fits.

    Args:
        schedule: when each block is due.
        descriptor: the pipe's writing end.
        cutoff_ns: monotonic time at which to give up.

    Returns:
        For each block the monotonic time at which its writing began; fewer if the cut-off came first, or if the pipe
        was closed.
    """
    os.set_blocking(descriptor, False)
    blocks, sent_ns, start = noise_blocks("<i2", schedule.block_samples), list[int](), 0
    for number, end in enumerate(schedule.block_ends):
        time.sleep(max(0, schedule.due_ns(end) - time.monotonic_ns()) / 1e9)
        sent_ns.append(time.monotonic_ns())
        if not _write(blocks[number % len(blocks)][: (end - start) * FRAME_BYTES], descriptor, cutoff_ns):
            break
        start = end
    return sent_ns


def _write(data: bytes, descriptor: int, cutoff_ns: int) -> bool:
    while data:
        left_s = max(0, cutoff_ns - time.monotonic_ns()) / 1e9
        if not select.select([], [descriptor], [], left_s)[1]:
            return False
        try:
            data = data[os.write(descriptor, data) :]
        except BrokenPipeError:
            return False
    return True


class RtpSender:
    """Sends noise to each port as a stream of its own, a packet every 10 ms, from `start` to `finish`.

    A withheld packet leaves out its sequence number and timestamp, as if the network had lost it. The first packets
    and the last one of each stream are always sent.

    Args:
        ports: of the receivers, on this machine.
        loss: the share of packets to withhold.
        seed: of the loss.
    """

    def __init__(self, ports: Sequence[int], loss: float, seed: int = SEED) -> None:
        self.withheld: Final = [0] * len(ports)
        """By stream, how many packets were not sent."""
        self.packets = 0
        """How many packets each stream had, sent or withheld; final after `finish`."""
        self.max_delay_ns = 0
        """The longest time from when a packet was due until it was sent."""
        self._ports: Final = ports
        self._loss: Final = loss
        self._random: Final = np.random.default_rng(seed)
        self._payloads: Final = noise_blocks(">i2")
        self._finishing: Final = threading.Event()
        self._resources: Final = ExitStack()
        self._socket: Final = self._resources.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._thread: Final = threading.Thread(target=self._run, name="whoplays-rtp-sender")
        self._start_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        self._resources.close()

    @property
    def samples(self) -> int:
        """How many samples each stream had, sent or withheld; final after `finish`."""
        return self.packets * BLOCK_SAMPLES

    def start(self) -> None:
        """Begin; the schedule counts from here."""
        self._start_ns = time.monotonic_ns()
        self._thread.start()

    def finish(self) -> None:
        """Send the last packet of each stream."""
        self._finishing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def due_samples(self, at_ns: int) -> int:
        """How many samples of each stream are due by a monotonic time."""
        if not self._start_ns:
            return 0
        due = max(0, at_ns - self._start_ns) * SAMPLE_RATE_HZ // 1_000_000_000
        return min(due, self.samples) if self._finishing.is_set() else due

    def _run(self) -> None:
        while not self._finishing.wait(max(0, self._next_due_ns() - time.monotonic_ns()) / 1e9):
            withheld = self._random.random(len(self._ports)) < self._loss * (self.packets >= NEVER_WITHHELD)
            self._send(withheld.tolist())
        self._send([False] * len(self._ports))

    def _send(self, withheld: Sequence[bool]) -> None:
        self.max_delay_ns = max(self.max_delay_ns, time.monotonic_ns() - self._next_due_ns())
        payload = self._payloads[self.packets % len(self._payloads)]
        for stream, (port, is_withheld) in enumerate(zip(self._ports, withheld, strict=True)):
            self.withheld[stream] += is_withheld
            if not is_withheld:
                self._socket.sendto(rtp_header(self.packets, stream) + payload, (HOST, port))
        self.packets += 1

    def _next_due_ns(self) -> int:
        return self._start_ns + (self.samples + BLOCK_SAMPLES) * 1_000_000_000 // SAMPLE_RATE_HZ


def free_ports(count: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> list[int]:
    """Ports of UDP, or another kind, that are not in use."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, kind)) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def noise_blocks(dtype: Literal["<i2", ">i2"], samples: int = BLOCK_SAMPLES) -> list[bytes]:
    """Blocks to be sent in turn, interleaved as they travel: `[300]` of `[samples, 2]`."""
    frames = np.random.default_rng(SEED).normal(0.0, _NOISE_LEVEL, (_NOISE_BLOCKS, samples, CHANNELS))
    return [block.tobytes() for block in (frames.clip(-1, 1) * 32767).astype(dtype)]


def rtp_header(packet: int, stream: int, samples: int = BLOCK_SAMPLES) -> bytes:
    """What goes before the payload of a stream's packet, of so many samples each (RFC 3550)."""
    return struct.pack(">BBHII", 0x80, PAYLOAD_TYPE, packet % 2**16, packet * samples % 2**32, stream + 1)
