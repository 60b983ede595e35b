"""RTP in real time, for daemons under test."""

import socket
import threading
import time
from types import TracebackType
from typing import Self

import numpy as np

from tests.stream.conftest import make_concert

FRAMES = 441
HEADER = np.dtype([("flags", "u1"), ("type", "u1"), ("seq", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")])


class Feed:
    """Sends a piano, a violin, both, and silence over and over to a port of its own; forgets no packet."""

    def __init__(self, ssrc: int = 1) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.uri = f"rtp://127.0.0.1:{self.port}"
        self._ssrc = ssrc
        self._leaving, self._paused = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()

    def pause(self) -> None:
        """Send nothing more."""
        self._paused.set()

    def _run(self) -> None:
        pcm = (make_concert(44_100) * 32767).astype(">i2").reshape(-1, FRAMES, 2)
        start_s, count = time.monotonic(), 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self._leaving.is_set():
                if not self._paused.is_set():
                    sender.sendto(self._packet(count, pcm[count % len(pcm)].tobytes()), ("127.0.0.1", self.port))
                count += 1
                self._leaving.wait(max(0.0, start_s + count * FRAMES / 44_100 - time.monotonic()))

    def _packet(self, count: int, payload: bytes) -> bytes:
        header = np.zeros(1, HEADER)
        header["flags"], header["type"], header["ssrc"] = 0x80, 10, self._ssrc
        header["seq"], header["timestamp"] = count % 2**16, count * FRAMES % 2**32
        return header.tobytes() + payload
