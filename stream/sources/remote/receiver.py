"""The bound socket at which a sender's messages arrive."""

import errno
from contextlib import ExitStack
from typing import Final

import zmq

from whoplays.models.errors import SourceError
from whoplays.stream.pubsub.endpoint import speak_ipv6
from whoplays.stream.security.gate import guarding
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.security.keys import ServerKeys
from whoplays.stream.sources.remote.protocol import MOST_BYTES

HIGH_WATER_MESSAGES: Final = 128
"""Of each sender: 6 s as `whoplays send` cuts audio."""
HEARTBEAT_MS: Final = 1_000
DEAD_MS: Final = 3_000


class Inlet:
    """Receives messages from whoever connects; bound until `close`.

    Args:
        endpoint: a ZeroMQ address.
        keys: encrypt, and admit those alone whose keys are allowed.
        handshakes: counts who was admitted and refused.

    Raises:
        SourceError: the address is in use, or cannot be bound.
    """

    def __init__(self, endpoint: str, keys: ServerKeys | None, handshakes: Handshakes) -> None:
        self._handshakes: Final = handshakes
        with ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            stack.enter_context(guarding(context, keys))
            self._socket: Final = stack.enter_context(context.socket(zmq.PULL))
            stack.enter_context(self._handshakes.watching(self._socket))
            self._socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MESSAGES)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
            be_heard_of(self._socket)
            speak_ipv6(self._socket, endpoint)
            if keys:
                keys.apply(self._socket)
            _bind(self._socket, endpoint)
            self._owned: Final = stack.pop_all()
        self.endpoint: Final = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """As it is bound."""

    def receive(self, timeout_s: float) -> list[list[bytes]]:
        """The frames of every message that is there, bounded; none if none came in time."""
        messages: list[list[bytes]] = []
        if self._socket.poll(round(timeout_s * 1000)):
            messages.append(self._socket.recv_multipart())
        while messages and len(messages) < HIGH_WATER_MESSAGES and self._socket.poll(0):
            messages.append(self._socket.recv_multipart())
        # After them: a sender's handshake is known before its first message is judged.
        self._handshakes.note()
        return messages

    def close(self) -> None:
        """Receive no more; the address is free when this returns."""
        self._owned.close()


def be_heard_of(socket: zmq.Socket[bytes]) -> None:
    """Let both ends notice within seconds that the other was cut off."""
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, DEAD_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, DEAD_MS)


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        what = "is in use; listen on another port" if error.errno == errno.EADDRINUSE else f"is of no use: {error}"
        raise SourceError(f"{endpoint} {what}") from error
