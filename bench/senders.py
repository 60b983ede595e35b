"""Many RTP senders in one thread, by a schedule that waits for nobody, with a seeded loss."""

import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

import numpy as np

from whoplays.bench.noise import noise
from whoplays.bench.schedule import BLOCK_SAMPLES
from whoplays.models.signal import SAMPLE_RATE_HZ

HOST: Final = "127.0.0.1"
PACKET_SAMPLES: Final = BLOCK_SAMPLES
PAYLOAD_TYPE: Final = 10
"""16-bit stereo at 44 100 Hz (RFC 3551)."""
NEVER_LOST: Final = 4
"""The first packets are never withheld, so that a session begins with the first sample."""


class RtpSender:
    """Sends noise to each port as a stream of its own, a packet every 10 ms, from `start` to `finish`.

    Of what is withheld for a loss the sequence numbers and timestamps are left out, as if the network had lost it. The
    first packets and the last one of each stream are always sent.

    Args:
        ports: of the receivers, on this machine.
        loss: the share of packets to withhold.
        seed: of the loss.
    """

    def __init__(self, ports: Sequence[int], loss: float, seed: int = 0) -> None:
        self.withheld: Final = [0] * len(ports)
        """By stream, how many packets were not sent."""
        self.packets = 0
        """How many there were of each stream, sent or withheld; final after `finish`."""
        self.latest_ns = 0
        """How late a packet was sent at most."""
        self._ports: Final = ports
        self._loss: Final = loss
        self._random: Final = np.random.default_rng(seed)
        self._noise: Final = noise(">i2")
        self._leaving: Final = threading.Event()
        self._owned: Final = ExitStack()
        self._socket: Final = self._owned.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._thread: Final = threading.Thread(target=self._run, name="whoplays-rtp-sender")
        self._start_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        self._owned.close()

    def start(self) -> None:
        """Begin; the schedule counts from here."""
        self._start_ns = time.monotonic_ns()
        self._thread.start()

    def finish(self) -> None:
        """Send the last packet of each stream."""
        self._leaving.set()
        if self._thread.ident is not None:
            self._thread.join()

    def due_samples(self, at_ns: int) -> int:
        """How many samples of each stream are due by a monotonic time."""
        if not self._start_ns:
            return 0
        due = max(0, at_ns - self._start_ns) * SAMPLE_RATE_HZ // 1_000_000_000
        return min(due, self.packets * PACKET_SAMPLES) if self._leaving.is_set() else due

    def _run(self) -> None:
        while not self._leaving.wait(max(0, self._due_ns(self.packets + 1) - time.monotonic_ns()) / 1e9):
            withheld = self._random.random(len(self._ports)) < self._loss * (self.packets >= NEVER_LOST)
            self._send(withheld.tolist())
        self._send([False] * len(self._ports))

    def _send(self, withheld: Sequence[bool]) -> None:
        self.latest_ns = max(self.latest_ns, time.monotonic_ns() - self._due_ns(self.packets + 1))
        payload = self._noise[self.packets % len(self._noise)]
        for stream, (port, lost) in enumerate(zip(self._ports, withheld, strict=True)):
            self.withheld[stream] += lost
            if not lost:
                self._socket.sendto(_header(self.packets, stream) + payload, (HOST, port))
        self.packets += 1

    def _due_ns(self, packets: int) -> int:
        return self._start_ns + packets * PACKET_SAMPLES * 1_000_000_000 // SAMPLE_RATE_HZ


def free_ports(count: int) -> list[int]:
    """Ports to which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _header(packet: int, stream: int) -> bytes:
    return struct.pack(">BBHII", 0x80, PAYLOAD_TYPE, packet % 2**16, packet * PACKET_SAMPLES % 2**32, stream + 1)
