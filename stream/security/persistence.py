"""Connecting again after a refusal."""

import errno
import time
from typing import Final

import zmq

from whoplays.stream.security.handshakes import Handshakes

RETRY_S: Final = 1.0


class Persistence:
    """Keeps a socket connecting: ZeroMQ gives up for good when a handshake fails, although keys can be allowed later.

    Args:
        socket: the connecting one.
        endpoint: where it connects to.
        handshakes: what becomes of its handshakes.
    """

    def __init__(self, socket: zmq.Socket[bytes], endpoint: str, handshakes: Handshakes) -> None:
        self._socket: Final = socket
        self._endpoint: Final = endpoint
        self._handshakes: Final = handshakes
        self._failed = 0
        self._retry_at_s: float | None = None

    def note(self) -> None:
        """Look what became of handshakes, and try again if it is time; for the thread that owns the socket."""
        self._handshakes.note()
        if not self._handshakes.reason:
            self._failed, self._retry_at_s = self._handshakes.failed, None
        elif self._retry_at_s is None and self._handshakes.failed > self._failed:
            self._failed, self._retry_at_s = self._handshakes.failed, time.monotonic() + RETRY_S
        elif self._retry_at_s is not None and time.monotonic() >= self._retry_at_s:
            self._failed, self._retry_at_s = self._handshakes.failed, None
            self._reconnect()

    def _reconnect(self) -> None:
        try:
            self._socket.disconnect(self._endpoint)
        except zmq.ZMQError as error:
            # What has given up is no longer known.
            if error.errno != errno.ENOENT:
                raise
        self._socket.connect(self._endpoint)
