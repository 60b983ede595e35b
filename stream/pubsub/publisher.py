"""Publishing messages over ZeroMQ."""

import errno
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, Self

import zmq

from whoplays.models.errors import EndpointError
from whoplays.stream.common.worker_thread import WorkerThread
from whoplays.stream.pubsub.endpoint import check_bind, enable_ipv6, enable_keepalive, is_in_use
from whoplays.stream.pubsub.messages import Message, encode, topic_of
from whoplays.stream.security.allow_list import ServerKeys, zap_authenticator
from whoplays.stream.security.handshakes import Handshakes

QUEUE_MESSAGES: Final = 10_000
HIGH_WATER_MESSAGES: Final = 10_000
LINGER_MS: Final = 2_000
POLL_S: Final = 0.05

Frames = tuple[bytes, bytes]


class Publisher(WorkerThread[Frames]):
    """Sends messages to every subscriber; one thread owns the socket, from `__enter__` to `__exit__`.

    Nobody waits for a slow subscriber: past the high-water mark it loses messages, and sees that from their `seq`.
    On leaving, everything queued is sent, and the last messages get up to two seconds to reach their subscribers.

    Args:
        endpoint: a ZeroMQ address; port `*` takes any free one.
        insecure: allow an address that is open to the network without keys.
        keys: encrypt, and admit those alone whose keys are allowed.
        on_handshake_failed: called, at most every ten seconds, with why clients were refused; in the socket's thread.

    Raises:
        EndpointError: the address is malformed, or open to the network; on entering: it is in use.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        insecure: bool = False,
        keys: ServerKeys | None = None,
        on_handshake_failed: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__("whoplays-publisher", QUEUE_MESSAGES)
        check_bind(endpoint, insecure=insecure, encrypted=keys is not None)
        self.endpoint = endpoint
        """Once entered, the address as it is bound."""
        self.handshakes: Final = Handshakes(on_handshake_failed)
        """How many subscribers were admitted and refused, and how many are connected."""
        self.dropped = 0
        """Messages given up because the queue was full."""
        self._keys: Final = keys
        self._joined: Final = threading.Event()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            stack.enter_context(zap_authenticator(context, self._keys))
            socket = stack.enter_context(self._socket(context))
            stack.enter_context(self.handshakes.watching(socket))
            _bind(socket, self.endpoint)
            self.endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
            # From here on all of it is the thread's.
            self._start(self._run, socket, stack.pop_all())
        return self

    def send(self, message: Message, *, wait: bool = False) -> None:
        """Queue a message; when the queue is full, give it up and count it, or wait for room.

        Whatever has ended the socket's thread is raised here, and on leaving.
        """
        frames = (topic_of(message.stream, message.kind).encode("ascii"), encode(message))
        if not self._put(frames, timeout_s=None if wait else 0.0):
            self.dropped += 1

    def wait_for_subscriber(self, timeout_s: float) -> bool:
        """Wait until somebody has subscribed; False if nobody did in time."""
        return self._joined.wait(timeout_s)

    def _socket(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        socket = context.socket(zmq.XPUB)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MESSAGES)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        enable_keepalive(socket)
        enable_ipv6(socket, self.endpoint)
        if self._keys:
            self._keys.apply(socket)
        return socket

    def _run(self, socket: zmq.Socket[bytes], owned: ExitStack) -> None:
        with owned:
            while not self._finished:
                self._note_subscribers(socket)
                self.handshakes.update()
                if frames := self._take(POLL_S):
                    socket.send_multipart(frames)

    def _note_subscribers(self, socket: zmq.Socket[bytes]) -> None:
        while socket.poll(0):
            if socket.recv().startswith(b"\x01"):
                self._joined.set()


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    try:
        if is_in_use(endpoint):
            raise zmq.ZMQError(errno.EADDRINUSE)
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        socket.linger = 0
        if error.errno == errno.EADDRINUSE:
            raise EndpointError(f"{endpoint} is in use; publish on another address") from error
        raise EndpointError(f"cannot publish on {endpoint}: {error.strerror}") from error
