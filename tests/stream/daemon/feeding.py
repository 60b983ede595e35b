"""RTP in real time, for daemons under test."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

import numpy as np

from tests.stream.conftest import make_concert
from tests.stream.sources.rtp.packets import Impairment, impaired, make_packet

FRAMES = 441
UNIMPAIRED = Impairment()
SEED = 1


class Feed:
    """Sends a piano, a violin, both, and silence over and over to a port of its own, 441 frames a packet.

    Args:
        ssrc: whose packets they are said to be.
        pace_hz: how many frames a second go out; they are said to be of 44 100 Hz.
        impairment: what the network does to the packets, in the same way for the same `SEED`.
        channels: how many there are; the last two play, the others are silent.
    """

    def __init__(
        self, ssrc: int = 1, *, pace_hz: int = 44_100, impairment: Impairment = UNIMPAIRED, channels: int = 2
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.uri = f"rtp://127.0.0.1:{self.port}"
        self.unsent = 0
        """Packets that would have been sent while it was paused."""
        self._ssrc, self._pace_hz, self._impairment = ssrc, pace_hz, impairment
        self._silent_channels = channels - 2
        self._leaving, self._paused = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join()

    def pause(self) -> None:
        """Send nothing more."""
        self._paused.set()

    def resume(self, ssrc: int | None = None) -> None:
        """Go on where it would be by now, as the same sender or as another one."""
        self._ssrc = ssrc or self._ssrc
        self._paused.clear()

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for packet in impaired(self._packets(), self._impairment, SEED):
                sender.sendto(packet, ("127.0.0.1", self.port))

    def _packets(self) -> Iterator[bytes]:
        """Each packet when it is due."""
        concert = np.pad(make_concert(44_100), ((0, 0), (self._silent_channels, 0)))
        pcm = (concert * 32767).astype(">i2").reshape(-1, FRAMES, concert.shape[1])
        start_s, count = time.monotonic(), 0
        while not self._leaving.is_set():
            if self._paused.is_set():
                self.unsent += 1
            else:
                yield make_packet(count, count * FRAMES, pcm[count % len(pcm)].tobytes(), ssrc=self._ssrc)
            count += 1
            self._leaving.wait(max(0.0, start_s + count * FRAMES / self._pace_hz - time.monotonic()))
